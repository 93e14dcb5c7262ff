#include "data/prepare/block_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What is taken for plain text, by its name, may be something else by its looks. Whether it was told.
bool tell_if_no_plain_text(const InputFile& file, std::string_view start) {
  if (file.kind != InputKind::text && file.kind != InputKind::text_lines) return false;
  const std::string_view line = start.substr(0, start.find_last_not_of("\r\n", start.find('\n')) + 1);
  const auto tell = [&](const char* looks, const char* remedy) {
    log::warning(
        "{} {}, but is taken as plain text, as every file whose name doesn't end in .jsonl, .json or .ndjson. {}",
        file.path.string(), looks, remedy);
    return true;
  };
  if (line.starts_with("{\"") && line.ends_with('}')) {
    return tell("seems to hold JSON lines", "If it does, let its name end in .jsonl");
  }
  const std::string extension = unpacked_extension(file);
  if (extension == ".csv" || extension == ".tsv")
    return tell("is a table", "To train on a column of it, make JSON lines of that");
  return false;
}

}  // namespace

BlockReader::BlockReader(std::vector<InputSlice> slices, InputPosition start, int standard_input)
    : slices_(std::move(slices)), position_(start), standard_input_(standard_input) {}

void BlockReader::open() {
  const InputSlice& slice = slices_[static_cast<size_t>(position_.slice)];
  stream_ = std::make_unique<InputStream>(slice.file, standard_input_);
  pending_.clear();
  searched_ = 0;
  stream_ended_ = false;
  if (stream_->compressed() && (slice.begin > 0 || slice.end > 0)) {
    throw UserError("cannot cut {} into partitions: it is packed; let its name end in .gz or .zst",
                    slice.file.path.string());
  }
  if (position_.byte > 0) {
    stream_->skip(position_.byte);
  } else if (slice.begin > 0) {
    // The line that is under way here belongs to the slice before.
    stream_->skip(slice.begin - 1);
    size_t newline = std::string::npos;
    position_.byte = slice.begin - 1;
    do {
      position_.byte += static_cast<int64_t>(pending_.size());
      pending_.clear();
    } while (read_more() && (newline = pending_.find('\n')) == std::string::npos);
    const size_t passed = newline == std::string::npos ? pending_.size() : newline + 1;
    pending_.erase(0, passed);
    position_.byte += static_cast<int64_t>(passed);
    position_.line = 0;
  } else {
    while (pending_.size() < kByteOrderMark.size() && read_more()) {
    }
    if (pending_.starts_with(kByteOrderMark)) {
      pending_.erase(0, kByteOrderMark.size());
      position_.byte = static_cast<int64_t>(kByteOrderMark.size());
    }
    if (!tells_of_text_) tells_of_text_ = tell_if_no_plain_text(slice.file, pending_);
  }
  raw_bytes_ = position_.line == 1 ? 0 : stream_->raw_bytes();
}

// Appends a buffer of text to `pending_`; false at the end.
bool BlockReader::read_more() {
  if (stream_ended_) return false;
  const size_t filled = pending_.size();
  pending_.resize(filled + kBlockBytes);
  const size_t n = stream_->read(pending_.data() + filled, kBlockBytes);
  pending_.resize(filled + n);
  stream_ended_ = n == 0;
  return n > 0;
}

bool BlockReader::next(TextBlock& block) {
  while (position_.slice < static_cast<int64_t>(slices_.size())) {
    if (!stream_) open();
    const InputFile& file = slices_[static_cast<size_t>(position_.slice)].file;
    block.kind = file.kind;
    block.place = {file.path.string(), position_.line, position_.byte};
    block.document = position_.document;
    if (file.kind == InputKind::text ? next_file(block) : next_lines(block)) {
      const int64_t raw = stream_->raw_bytes();
      block.bytes = raw - std::exchange(raw_bytes_, raw);
      block.after = position_;
      return true;
    }
    stream_.reset();
    position_ = {position_.slice + 1, 0, 1, position_.document};
  }
  return false;
}

bool BlockReader::next_file(TextBlock& block) {
  if (std::exchange(position_.line, 0) == 0) return false;  // it has been handed out
  while (read_more()) {
  }
  block.text = std::exchange(pending_, {});
  ++position_.document;
  position_.byte += static_cast<int64_t>(block.text.size());
  return true;
}

// Where the lines for the next block end in `pending_`; 0 when the slice has no more.
size_t BlockReader::lines_end() {
  const int64_t slice_end = slices_[static_cast<size_t>(position_.slice)].end;
  const int64_t rest = slice_end - position_.byte;  // the last line begins before this
  if (slice_end > 0 && rest <= 0) return 0;
  while (true) {
    // A line's end counts when something follows, because blank lines at the end of a file are none.
    const size_t last = pending_.find_last_not_of(kBlank);
    const size_t content = last == std::string::npos ? 0 : last + 1;
    if (slice_end > 0 && static_cast<size_t>(rest) <= content) {
      const size_t newline = pending_.find('\n', static_cast<size_t>(rest) - 1);
      if (newline < content) return newline + 1;
    }
    if (pending_.size() >= kBlockBytes) {
      const size_t newline = content <= searched_
                                 ? std::string::npos
                                 : std::string_view(pending_).substr(searched_, content - searched_).rfind('\n');
      if (newline != std::string::npos) {
        const size_t end = searched_ + newline + 1;
        if (slice_end == 0 || end <= static_cast<size_t>(rest)) return end;
      } else {
        searched_ = content;
      }
    }
    if (!read_more()) return content == 0 ? 0 : std::min(pending_.find('\n', content), pending_.size());
  }
}

bool BlockReader::next_lines(TextBlock& block) {
  const size_t end = lines_end();
  if (end == 0) return false;
  block.text.assign(pending_, 0, end);
  pending_.erase(0, end);
  searched_ = 0;
  const int64_t newlines = std::count(block.text.begin(), block.text.end(), '\n');
  if (position_.line > 0) position_.line += newlines;
  position_.byte += static_cast<int64_t>(end);
  position_.document += newlines + (block.text.ends_with('\n') ? 0 : 1);
  return true;
}

}  // namespace longhaul
