// Lines that were passed over: the first few are named in the log, and all of them are kept in a file if wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "data/prepare/block_tokenizer.h"
#include "longhaul/core/append_file.h"

namespace longhaul {

class Quarantine {
 public:
  // Goes on with `lines` bad lines, which fill `bytes` of `file`. Without a file, lines are only counted.
  Quarantine(std::optional<std::filesystem::path> file, int64_t lines, int64_t bytes);

  void add(const std::vector<BadLine>& lines);
  void sync();
  // A last word on how many there were.
  void finish() const;

  int64_t lines() const { return lines_; }
  int64_t bytes() const { return file_ ? file_->size() : 0; }

 private:
  std::optional<AppendFile> file_;
  int64_t lines_;
  int64_t shown_ = 0;
};

}  // namespace longhaul
