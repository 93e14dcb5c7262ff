// RMSNorm and LayerNorm over the last dimension, statistics and arithmetic in FP32, one rounding at the end.
#pragma once

#include <utility>

#include "longhaul/ops/weight.h"

namespace longhaul::ops {

struct NormOptions {
  bool layer_norm = false;  // false: RMSNorm (no mean, no bias)
  double eps = 1e-5;
  bool zero_centered = false;  // the effective weight is 1 + weight
};

// x [tokens, hidden] -> [tokens, hidden]
at::Tensor norm(const at::Tensor& x, const Weight& weight, const Weight& bias, const NormOptions& options);

// {residual + x, norm(residual + x)} in one pass; both [tokens, hidden]. Both outputs are differentiable.
std::pair<at::Tensor, at::Tensor> residual_norm(const at::Tensor& x, const at::Tensor& residual, const Weight& weight,
                                                const Weight& bias, const NormOptions& options);

}  // namespace longhaul::ops
