#include "data/tokenizer/train/count_words.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

#include "data/prepare/input_files.h"
#include "data/tokenizer/encode_run.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/progress.h"
#include "longhaul/data/jsonl.h"

namespace longhaul::tokenizer {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;

// Whole lines of one file.
struct Block {
  std::string_view text;
  std::string own;  // what `text` points into, for standard input
  std::shared_ptr<const MappedFile> mapped;
  std::string file;
  int64_t first_line = 1;
  bool json = false;
};

class Blocks {
 public:
  explicit Blocks(std::vector<InputFile> files) : files_(std::move(files)) {
    for (const InputFile& file : files_) {
      if (file.compressed) {
        throw UserError(
            "cannot train on {}: it is compressed; unpack it, or pass its lines through standard input, e.g. "
            "`zcat FILE | llm-pretrain tokenizer train --input - …`",
            file.path.string());
      }
      total_bytes_ += static_cast<uintmax_t>(file.bytes);
    }
  }
  uintmax_t total_bytes() const { return total_bytes_; }

  bool next(Block& block) {
    const std::lock_guard lock(mutex_);
    while (rest_.empty()) {
      if (file_ == files_.size()) return false;
      const InputFile& input = files_[file_];
      if (input.kind == InputKind::standard_input) {
        if (read_standard_input(block)) return true;
        ++file_;
        continue;
      }
      mapped_ = std::make_shared<MappedFile>(input.path);
      rest_ = mapped_->text();
      line_ = 1;
      ++file_;
    }
    size_t size = rest_.size();
    if (size > kBlockBytes) {
      const size_t newline = rest_.find('\n', kBlockBytes);
      if (newline != std::string_view::npos) size = newline + 1;
    }
    const InputFile& input = files_[file_ - 1];
    block = {rest_.substr(0, size), {}, mapped_, input.path.string(), line_, input.kind == InputKind::json_lines};
    line_ += std::count(block.text.begin(), block.text.end(), '\n');
    rest_.remove_prefix(size);
    return true;
  }

 private:
  bool read_standard_input(Block& block) {
    block = {{}, {}, nullptr, "standard input", line_, true};
    for (std::string line; block.own.size() < kBlockBytes && std::getline(std::cin, line); ++line_) {
      block.own += line;
      block.own += '\n';
    }
    block.text = block.own;
    return !block.own.empty();
  }

  std::mutex mutex_;
  std::vector<InputFile> files_;
  size_t file_ = 0;
  std::shared_ptr<const MappedFile> mapped_;
  std::string_view rest_;
  int64_t line_ = 1;
  uintmax_t total_bytes_ = 0;
};

struct CountingSink {
  static constexpr bool kTracks = false;
  void added(int32_t, Span) {}
  void pieces(const Pieces& pieces, ModelScratch&) {
    for (size_t i = 0; i < pieces.spans.size(); ++i) counts.add(pieces.piece(i));
  }
  WordCounts& counts;
};

// One thread's share.
class Counter {
 public:
  Counter(const Pipeline& pipeline, const std::string& key)
      : keys_{key}, buffers_(pipeline), run_(pipeline, buffers_, sink_) {}

  void count(const Block& block) {
    int64_t line_number = block.first_line;
    for (std::string_view rest = block.text; !rest.empty(); ++line_number) {
      const size_t newline = rest.find('\n');
      const size_t size = newline == std::string_view::npos ? rest.size() : newline + 1;
      block.json ? count_json(rest.substr(0, newline), block, line_number) : count_text(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    bytes += static_cast<int64_t>(block.text.size());
  }

  WordCounts counts;
  int64_t texts = 0;
  int64_t bytes = 0;

 private:
  void count_json(std::string_view line, const Block& block, int64_t number) {
    if (const auto wrong = parse_json_line(line, keys_, values_)) {
      throw UserError("{}, line {}: {}", block.file, number, *wrong);
    }
    for (const std::string& text : values_.front().strings) count_text(text);
  }
  void count_text(std::string_view text) {
    ++texts;
    if (valid_utf8(text)) return run_.run(text);
    run_.run(replace_invalid_utf8(text));
  }

  std::vector<std::string> keys_;
  KeyTexts values_;
  EncodeBuffers buffers_;
  CountingSink sink_{counts};
  EncodeRun<CountingSink> run_;
};

}  // namespace

WordCounts count_words(const TrainTokenizerOptions& options, const Pipeline& pipeline, TrainTokenizerReport& report) {
  Blocks blocks(find_inputs(options.inputs, ""));
  const int64_t threads = options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  std::optional<ProgressBar> bar;
  if (options.show_progress) bar.emplace("counting words", static_cast<double>(blocks.total_bytes()) / 1e6, "MB");
  std::mutex mutex;  // of all below
  std::exception_ptr error;
  WordCounts all;
  int64_t done_bytes = 0;

  const auto work = [&] {
    try {
      Counter counter(pipeline, options.key);
      Block block;
      while (blocks.next(block)) {
        counter.count(block);
        const std::lock_guard lock(mutex);
        if (error) return;
        done_bytes += static_cast<int64_t>(block.text.size());
        if (bar) bar->update(static_cast<double>(done_bytes) / 1e6);
      }
      const std::lock_guard lock(mutex);
      all.add(counter.counts);
      report.texts += counter.texts;
      report.bytes += counter.bytes;
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  if (error) std::rethrow_exception(error);
  if (bar) bar->finish();
  return all;
}

}  // namespace longhaul::tokenizer
