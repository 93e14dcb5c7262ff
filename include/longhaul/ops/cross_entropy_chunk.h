// How linear_cross_entropy cuts its tokens into chunks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longhaul::ops {

// Tokens of a chunk, whose logits have `vocab` columns on this rank. On a CPU as many as 32 MiB of FP32 logits hold,
// which stay within its caches, but at least 256, which make up for packing the weight once a chunk. On a GPU multiples
// of 1024 up to 1 GiB of logits, FP32 or BF16: its products want thousands of rows, so that reading and writing the
// weight's gradient is a small part.
inline int64_t cross_entropy_chunk_tokens(int64_t vocab, bool cuda, bool bf16_logits) {
  const int64_t bytes = cuda ? int64_t{1} << 30 : int64_t{32} << 20, step = cuda ? 1024 : 1, least = cuda ? 1024 : 256;
  const int64_t row_bytes = std::max<int64_t>(vocab, 1) * (cuda && bf16_logits ? 2 : 4);
  return std::max(bytes / row_bytes / step * step, least);
}

}  // namespace longhaul::ops
