// The kernels behind longhaul/ops/embedding.h. The CPU's ids have been checked; on CUDA one outside the
// table gives a row of zeros and no gradient (ops/index_check.h reports it).
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops {

struct EmbeddingForward {
  ElementType type = ElementType::float32;
  int64_t tokens = 0;
  int64_t rows = 0;  // of the table
  int64_t hidden = 0;
  const int64_t* ids = nullptr;  // [tokens]
  const void* table = nullptr;   // [rows, hidden]
  void* y = nullptr;             // [tokens, hidden]
};

// dtable[ids[t]] += dy[t], for the tokens of one id in the order of the tokens.
struct EmbeddingBackward {
  ElementType type = ElementType::float32;
  int64_t tokens = 0;
  int64_t rows = 0;  // of the table
  int64_t hidden = 0;
  const int64_t* sorted_ids = nullptr;  // [tokens] ascending
  const int64_t* order = nullptr;       // [tokens] the token of each sorted id; tokens of equal ids ascend
  const void* dy = nullptr;             // [tokens, hidden]
  void* dtable = nullptr;               // [rows, hidden] FP32 (FP64 for FP64)
};

namespace cpu {
void embedding_forward(const EmbeddingForward& arguments);
void embedding_backward(const EmbeddingBackward& arguments);
}  // namespace cpu

namespace cuda {
void embedding_forward(const EmbeddingForward& arguments, void* stream);
void embedding_backward(const EmbeddingBackward& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
