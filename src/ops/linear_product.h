// linear() by a product of one's own, which may leave more than the output.
#pragma once

#include <functional>

#include "longhaul/ops/weight.h"

namespace longhaul::ops {

// out [tokens, out] = x [tokens, in] · weight_t [in, out] + bias, as gemm() has it; runs within the call, without
// autograd.
using LinearProduct =
    std::function<void(const at::Tensor& x, const at::Tensor& weight_t, const at::Tensor& out, const at::Tensor& bias)>;

// As longhaul/ops/linear.h has it, the backward too.
at::Tensor linear_by(const LinearProduct& product, const at::Tensor& x, const Weight& weight, const Weight& bias);

// The checks of a linear's arguments, where x is [tokens, in].
void check_linear(const at::Tensor& x, const Weight& weight, const Weight& bias);

}  // namespace longhaul::ops
