#include "longhaul/data/prepare.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>

#include "data/prepare/block_reader.h"
#include "data/prepare/block_tokenizer.h"
#include "data/prepare/input_files.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "longhaul/data/ordered_workers.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {
namespace {

void check(const PrepareOptions& options, const PrepareTokenizer& tokenizer) {
  if (options.output_prefix.empty())
    throw UserError("no output prefix: say where the dataset goes, e.g. data/corpus");
  if (options.json_keys.empty()) throw UserError("no JSON key: name at least one, usually \"text\"");
  std::set<std::string> seen;
  for (const std::string& key : options.json_keys) {
    if (key.empty() || key.find('/') != std::string::npos) {
      throw UserError("the JSON key \"{}\" can't be part of a file's name", key);
    }
    if (!seen.insert(key).second) throw UserError("the JSON key \"{}\" is named twice", key);
  }
  if (options.workers < 0) throw UserError("{} workers: there must be at least one", options.workers);
  if (options.append_eod && !tokenizer.eod_id) {
    throw UserError(
        "the tokenizer has no end-of-document token (eos), which --append-eod needs; use another "
        "tokenizer, or prepare without --append-eod");
  }
}

void check_kinds(const std::vector<InputFile>& files, const PrepareOptions& options) {
  for (const InputFile& file : files) {
    if (file.kind == InputKind::text && options.json_keys.size() > 1) {
      throw UserError(
          "{} is plain text, but {} JSON keys are asked for; rename it to .jsonl if it holds JSON lines",
          file.path.string(), options.json_keys.size());
    }
  }
}

// Clears what a killed run left under the prefix.
const std::string& without_stale(const std::string& prefix) {
  for (const std::string& file : {prefix + ".bin", prefix + ".idx", prepared_info_path(prefix)}) remove_stale_partials(file);
  return prefix;
}

// The output of one key, and what the report says of it.
class KeyOutput {
 public:
  KeyOutput(const PrepareOptions& options, const PrepareTokenizer& tokenizer, const std::string& key)
      : report_{key, fmt::format("{}_{}_document", options.output_prefix, key)},
        writer_(without_stale(report_.prefix), token_type_for_vocabulary(tokenizer.vocab_size)),
        info_(prepared_info_path(report_.prefix)) {}

  void add(const TokenizedKey& block) {
    writer_.add_documents(block.tokens, block.lengths, block.documents);
    auto length = block.lengths.begin();
    for (const int32_t sequences : block.documents) {
      int64_t tokens = 0;
      for (int32_t i = 0; i < sequences; ++i) tokens += *length++;
      report_.longest = std::max(report_.longest, tokens);
      report_.empty += tokens == 0;
    }
    for (const int32_t token : block.tokens) report_.largest_id = std::max(report_.largest_id, token);
    report_.documents = writer_.documents();
    report_.tokens = writer_.tokens();
  }

  // Everything on the disk, under temporary names.
  void seal(const PrepareOptions& options, const PrepareTokenizer& tokenizer) {
    writer_.seal();
    info_.write(prepared_info_text({tokenizer.fingerprint, tokenizer.vocab_size, tokenizer.eod_id,
                                    options.append_eod, options.add_special_tokens, report_.documents,
                                    report_.tokens, report_.largest_id}));
    info_.sync();
  }

  void finalize() {
    // Older information must not stand beside the new data.
    std::error_code ignored;
    std::filesystem::remove(prepared_info_path(report_.prefix), ignored);
    writer_.finalize();
    info_.commit();
  }

  const PreparedDataset& report() const { return report_; }

 private:
  PreparedDataset report_;
  IndexedDatasetWriter writer_;
  AtomicFile info_;
};

class BadLineLog {
 public:
  void add(const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
      if (count_++ < kShown) log::warning("skipped {}", problem);
    }
  }
  int64_t finish() const {
    if (count_ > kShown)
      log::warning("skipped {} bad lines or files in all; the first {} are named above", count_, kShown);
    return count_;
  }

 private:
  static constexpr int64_t kShown = 5;
  int64_t count_ = 0;
};

int64_t worker_count(const PrepareOptions& options) {
  return options.workers > 0 ? options.workers : std::max<int64_t>(1, std::thread::hardware_concurrency());
}

}  // namespace

PrepareReport prepare(const PrepareOptions& options, const PrepareTokenizer& tokenizer) {
  using Workers = OrderedWorkers<TextBlock, TokenizedBlock>;
  const auto start = std::chrono::steady_clock::now();
  check(options, tokenizer);
  std::vector<InputFile> files = find_inputs(options.inputs, options.output_prefix);
  check_kinds(files, options);

  PrepareReport report;
  report.files = static_cast<int64_t>(files.size());
  BlockReader reader(std::move(files));
  const auto parent = std::filesystem::path(options.output_prefix).parent_path();
  if (!parent.empty()) make_folder(parent);
  const Unfinished unfinished;
  std::vector<std::unique_ptr<KeyOutput>> outputs;
  for (const std::string& key : options.json_keys) {
    outputs.push_back(std::make_unique<KeyOutput>(options, tokenizer, key));
  }

  std::vector<Workers::Worker> workers;
  for (int64_t i = 0; i < worker_count(options); ++i) {
    auto worker = std::make_shared<BlockTokenizer>(
        tokenizer.make_encoder(options.add_special_tokens), options.json_keys,
        options.append_eod ? tokenizer.eod_id : std::nullopt, options.on_bad_line);
    workers.emplace_back([worker](TextBlock& block, TokenizedBlock& out) { worker->tokenize(block, out); });
  }
  const auto window = static_cast<int64_t>(2 * workers.size() + 2);
  Workers pipeline([&](TextBlock& block) { return reader.next(block); }, std::move(workers), window);

  constexpr double kMegabyte = 1e6;
  std::optional<ProgressBar> bar;
  if (options.show_progress)
    bar.emplace("preparing", static_cast<double>(reader.total_bytes()) / kMegabyte, "MB");
  const auto note = [&] {
    const PreparedDataset& first = outputs.front()->report();
    return fmt::format("{} documents, {} tokens", format_count(static_cast<double>(first.documents)),
                       format_count(static_cast<double>(first.tokens)));
  };
  BadLineLog bad_lines;
  TokenizedBlock block;
  while (pipeline.next(block)) {
    throw_if_interrupted();
    for (size_t k = 0; k < outputs.size(); ++k) outputs[k]->add(block.keys[k]);
    bad_lines.add(block.bad_lines);
    report.bytes += block.bytes;
    if (bar) bar->update(static_cast<double>(report.bytes) / kMegabyte, note());
  }
  if (bar) bar->finish(note());
  report.bad_lines = bad_lines.finish();

  for (const auto& output : outputs) {
    const PreparedDataset& made = output->report();
    if (made.documents == 0) {
      throw UserError(
          "{} holds no documents ({} files, {} bytes, {} bad lines); nothing was written; name files with text",
          fmt::join(options.inputs, ", "), report.files, report.bytes, report.bad_lines);
    }
    if (made.tokens == 0) {
      throw UserError("all {} documents are empty under the key \"{}\"; nothing was written", made.documents,
                      made.key);
    }
  }
  for (const auto& output : outputs) output->seal(options, tokenizer);
  for (const auto& output : outputs) {
    output->finalize();
    report.datasets.push_back(output->report());
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace longhaul
