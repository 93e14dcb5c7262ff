// Sums over rows, such as the gradient of a bias, in an order that does not depend on the number of threads:
// the rows are cut into blocks by their number alone, each block is summed by one thread (or thread block of
// a GPU) into its own row of `partials`, and then the blocks are added up in order.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longhaul::ops {

struct RowBlocks {
  int64_t rows = 0;
  int64_t count = 0;  // of blocks

  int64_t begin(int64_t block) const { return rows * block / count; }
  int64_t end(int64_t block) const { return rows * (block + 1) / count; }
};

// 64 blocks keep the cost of the partial sums at a few per cent and occupy any CPU that one process gets; a
// GPU wants more: four for each multiprocessor of an H100.
inline RowBlocks row_blocks(int64_t rows, bool cuda) {
  return {rows, std::clamp<int64_t>(rows / (cuda ? 8 : 16), 1, cuda ? 528 : 64)};
}

}  // namespace longhaul::ops
