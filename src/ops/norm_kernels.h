// The kernels behind longhaul/ops/norm.h. Matrices are contiguous [rows, hidden] of `type`; statistics and
// partial sums are FP32 (FP64 for FP64).
#pragma once

#include <cstdint>

#include "ops/element_type.h"
#include "ops/row_blocks.h"

namespace longhaul::ops {

struct NormShape {
  ElementType type = ElementType::float32;
  int64_t rows = 0;
  int64_t hidden = 0;
  bool layer_norm = false;
  bool zero_centered = false;
  double eps = 0;
};

struct NormForward : NormShape {
  const void* x = nullptr;
  const void* residual = nullptr;  // null: norm(x), else norm(residual + x)
  const void* weight = nullptr;    // [hidden]
  const void* bias = nullptr;      // [hidden] or null
  void* sum = nullptr;             // residual + x; null without residual
  void* y = nullptr;
  void* mean = nullptr;  // [rows]; null for RMSNorm
  void* rstd = nullptr;  // [rows], 1 / standard deviation (root mean square for RMSNorm)
};

// dx = the gradient of what was normalised, through y, plus dsum.
struct NormBackward : NormShape {
  const void* x = nullptr;  // what was normalised: with a residual, the sum
  const void* weight = nullptr;
  const void* mean = nullptr;
  const void* rstd = nullptr;
  const void* dy = nullptr;
  const void* dsum = nullptr;  // null: none
  void* dx = nullptr;
  void* dweight = nullptr;  // [hidden] statistics' type, added to; null: not wanted
  void* dbias = nullptr;    // likewise
  RowBlocks blocks = {};
  void* partials = nullptr;  // workspace [2, blocks.count, hidden]: of dweight, of dbias
};

namespace cpu {
void norm_forward(const NormForward& arguments);
void norm_backward(const NormBackward& arguments);
}  // namespace cpu

namespace cuda {
void norm_forward(const NormForward& arguments, void* stream);
void norm_backward(const NormBackward& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
