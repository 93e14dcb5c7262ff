// A weight as the operators take it. When `main_grad` is defined (FP32, or FP64 for FP64; same shape) an operator's
// backward *adds* the weight's gradient there, in FP32, and autograd sees none; otherwise the gradient is returned to
// autograd.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

struct Weight {
  at::Tensor value;      // undefined: there is no such weight (no bias)
  at::Tensor main_grad;  // undefined: gradient goes through autograd
  bool defined() const { return value.defined(); }
};

}  // namespace longhaul::ops
