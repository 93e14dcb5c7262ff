// Cuts the inputs into blocks: some whole lines of JSON, or a whole text file. Blocks are what workers take,
// so they bound memory: a mapped file's block is a view, and standard input is read a block at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/prepare/input_files.h"
#include "longhaul/core/file.h"
#include "longhaul/data/jsonl.h"

namespace longhaul {

struct TextBlock {
  InputKind kind = InputKind::json_lines;
  LinePlace place;  // of the first line
  std::string_view text;
  int64_t bytes = 0;                  // of input that the block stands for
  std::shared_ptr<const void> owner;  // keeps `text` alive
};

class BlockReader {
 public:
  // `standard_input` is the descriptor that "-" reads.
  explicit BlockReader(std::vector<InputFile> files, int standard_input = 0);

  // The next block, in the order of the files; false at the end. Blank space at the end of a file is not a
  // line.
  bool next(TextBlock& block);

  // Bytes in all files; 0 when that isn't known beforehand.
  int64_t total_bytes() const { return total_bytes_; }

  static constexpr size_t kBlockBytes = size_t{1} << 20;

 private:
  bool next_of_file(TextBlock& block);
  bool next_of_stream(TextBlock& block);
  void open_next();

  std::vector<InputFile> files_;
  int standard_input_;
  size_t upcoming_ = 0;  // the file to open next
  bool open_ = false;
  InputFile current_;
  std::shared_ptr<const MappedFile> mapped_;
  LinePlace place_;      // of the next block
  std::string pending_;  // of a stream: read, but not yet in a block
  bool stream_ended_ = false;
  int64_t total_bytes_ = 0;
};

}  // namespace longhaul
