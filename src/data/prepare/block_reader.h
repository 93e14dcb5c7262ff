// Cuts the inputs into blocks: some whole lines, or a whole text file. Blocks are what workers take, so they bound
// memory: it grows with the longest line and text file, not with the input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/prepare/input_files.h"
#include "data/prepare/input_stream.h"
#include "longhaul/data/jsonl.h"

namespace longhaul {

// A place between two documents.
struct InputPosition {
  int64_t slice = 0;
  int64_t byte = 0;      // of the slice's file, or its text if that is packed
  int64_t line = 1;      // of the file; 0 where that isn't known, after the start of a cut file
  int64_t document = 0;  // from 0, over all inputs; lines count as documents
};

struct TextBlock {
  InputKind kind = InputKind::json_lines;
  LinePlace place;       // of the first line
  int64_t document = 0;  // number of the first
  std::string text;
  int64_t bytes = 0;  // of input, as it lies on the disk, that the block stands for
  InputPosition after;
};

class BlockReader {
 public:
  // `start`, if not that of the input, is a place that an earlier block had `after` it. `standard_input` is the
  // descriptor that "-" reads.
  explicit BlockReader(std::vector<InputSlice> slices, InputPosition start = {}, int standard_input = 0);

  // The next block, in the order of the slices; false at the end. Blank space at the end of a file is not a
  // line, and a byte order mark at its start is no text.
  bool next(TextBlock& block);

  static constexpr size_t kBlockBytes = size_t{256} << 10;

 private:
  void open();
  bool read_more();
  bool next_file(TextBlock& block);
  bool next_lines(TextBlock& block);
  size_t lines_end();

  std::vector<InputSlice> slices_;
  InputPosition position_;  // of the next block
  int standard_input_;
  std::unique_ptr<InputStream> stream_;  // none between two slices
  std::string pending_;                  // read, but not yet in a block
  size_t searched_ = 0;                  // of `pending_`: no line ends here
  bool stream_ended_ = false;
  bool tells_of_text_ = false;  // a file that seems to be none; once is enough
  int64_t raw_bytes_ = 0;       // of the stream, that blocks stand for
};

}  // namespace longhaul
