#pragma once

#include "longhaul/ops/weight.h"

namespace longhaul::ops {

// y = x · weightᵀ + bias. x [tokens, in], weight [out, in], bias [out] or undefined -> [tokens, out].
// The weight-gradient GEMM adds straight into main_grad.
at::Tensor linear(const at::Tensor& x, const Weight& weight, const Weight& bias = {});

}  // namespace longhaul::ops
