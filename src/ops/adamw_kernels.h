// The kernels behind longhaul/ops/adamw.h, on flat arrays of `count` FP32 numbers.
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops {

// The scalars are rounded from double precision once per step, as torch.optim does:
//   g = grad · grad_scale, that rounded to FP32
//   m += (g - m) · one_minus_beta1          v = v · beta2 + g² · one_minus_beta2
//   master = master · decay - step_size · m / (√v · inverse_root_correction + eps)
struct AdamWArguments {
  int64_t count = 0;
  float* master = nullptr;
  float* moment1 = nullptr;
  float* moment2 = nullptr;
  float* grad = nullptr;
  void* model = nullptr;  // BF16, or null
  bool zero_grad = false;
  const double* grad_scale = nullptr;  // null: 1; not finite: nothing changes
  float one_minus_beta1 = 0;
  float beta2 = 0;
  float one_minus_beta2 = 0;
  float decay = 1;                    // 1 - lr · weight_decay
  float step_size = 0;                // lr / (1 - beta1^step)
  float inverse_root_correction = 1;  // 1 / √(1 - beta2^step)
  float eps = 0;
};

// sum += Σ x² in FP64: of chunks of kNormChunk numbers, which then are added up in a fixed order.
struct SquaredNormArguments {
  int64_t count = 0;
  const float* x = nullptr;
  double* partials = nullptr;  // workspace, one a chunk
  double* sum = nullptr;
};
inline constexpr int64_t kNormChunk = 65536;

namespace cpu {
void adamw(const AdamWArguments& arguments);
void squared_norm(const SquaredNormArguments& arguments);
}  // namespace cpu

namespace cuda {
void adamw(const AdamWArguments& arguments, void* stream);
void squared_norm(const SquaredNormArguments& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
