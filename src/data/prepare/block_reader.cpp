#include "data/prepare/block_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// Without the blank space at the end.
std::string_view without_blank_end(std::string_view text) {
  const size_t last = text.find_last_not_of(kBlank);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

void step_over(LinePlace& place, std::string_view text) {
  place.line += std::count(text.begin(), text.end(), '\n');
  place.byte += static_cast<int64_t>(text.size());
}

}  // namespace

BlockReader::BlockReader(std::vector<InputFile> files, int standard_input)
    : files_(std::move(files)), standard_input_(standard_input) {
  for (const InputFile& file : files_) {
    if (file.kind == InputKind::standard_input) {
      total_bytes_ = 0;
      return;
    }
    std::error_code error;
    const auto size = std::filesystem::file_size(file.path, error);
    if (!error) total_bytes_ += static_cast<int64_t>(size);
  }
}

void BlockReader::open_next() {
  current_ = files_[upcoming_++];
  place_ = {current_.path.string(), 1, 0};
  open_ = true;
  if (current_.kind == InputKind::standard_input) {
    stream_ended_ = false;
    pending_.clear();
  } else {
    mapped_ = std::make_shared<const MappedFile>(current_.path);
  }
}

bool BlockReader::next(TextBlock& block) {
  while (true) {
    if (!open_) {
      if (upcoming_ == files_.size()) return false;
      open_next();
    }
    block.kind = current_.kind;
    block.place = place_;
    const bool more =
        current_.kind == InputKind::standard_input ? next_of_stream(block) : next_of_file(block);
    if (more) return true;
    open_ = false;
    mapped_.reset();
  }
}

bool BlockReader::next_of_file(TextBlock& block) {
  block.owner = mapped_;
  if (current_.kind == InputKind::text) {
    if (std::exchange(place_.line, 0) == 0) return false;  // it has been handed out
    block.text = mapped_->text();
    block.bytes = static_cast<int64_t>(block.text.size());
    return true;
  }
  const std::string_view rest =
      without_blank_end(mapped_->text())
          .substr(std::min(static_cast<size_t>(place_.byte), without_blank_end(mapped_->text()).size()));
  if (rest.empty()) return false;
  const size_t line_end = rest.size() <= kBlockBytes ? std::string_view::npos : rest.find('\n', kBlockBytes);
  block.text = rest.substr(0, line_end == std::string_view::npos ? rest.size() : line_end + 1);
  block.bytes = static_cast<int64_t>(block.text.size());
  step_over(place_, block.text);
  return true;
}

bool BlockReader::next_of_stream(TextBlock& block) {
  // A block ends at a newline that something follows: the blank end of a stream is no line.
  size_t end = std::string::npos;
  while (!stream_ended_) {
    if (pending_.size() > kBlockBytes) {
      const size_t content = without_blank_end(pending_).size();
      const size_t newline = content == 0 ? std::string::npos : pending_.rfind('\n', content - 1);
      if (newline != std::string::npos) {
        end = newline + 1;
        break;
      }
    }
    const size_t filled = pending_.size();
    pending_.resize(filled + kBlockBytes);
    const ssize_t n = ::read(standard_input_, pending_.data() + filled, kBlockBytes);
    if (n < 0 && errno != EINTR)
      throw EnvironmentError("cannot read standard input: {}", std::strerror(errno));
    pending_.resize(filled + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) stream_ended_ = true;
  }
  if (end == std::string::npos) {
    end = without_blank_end(pending_).size();
    if (end == 0) return false;
  }
  auto owned = std::make_shared<const std::string>(pending_.substr(0, end));
  pending_.erase(0, end);
  block.text = *owned;
  block.bytes = static_cast<int64_t>(owned->size());
  step_over(place_, *owned);
  block.owner = std::move(owned);
  return true;
}

}  // namespace longhaul
