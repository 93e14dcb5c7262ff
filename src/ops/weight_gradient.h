// Where a backward adds a weight's gradient: into `main_grad` where the weight has one, else into a zeroed
// buffer that goes to autograd (see longhaul/ops/weight.h). Kernels add in either case, and never know which
// it is.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

class WeightGradientQueue;

class WeightGradient {
 public:
  // `main_grad` may be undefined; then `needed` says whether autograd wants the gradient at all.
  WeightGradient(const at::Tensor& value, const at::Tensor& main_grad, bool needed);

  // FP32 (FP64 for FP64 weights), contiguous, the weight's shape; undefined when nobody wants the gradient.
  const at::Tensor& sum() const { return sum_; }

  // sum() += left · right, where somebody wants it; what goes to main_grad may wait in `queue` (null: it does not).
  void add_product(const at::Tensor& left, const at::Tensor& right, WeightGradientQueue* queue) const;

  // What the backward returns to autograd, in the weight's type; undefined when it went to main_grad.
  at::Tensor for_autograd() const;

 private:
  at::Tensor sum_;
  bool goes_to_autograd_ = false;
  at::ScalarType type_ = at::kFloat;
};

// The checks of a weight that a forward takes: contiguous, of x's type and device, `main_grad` FP32 (FP64 for FP64
// weights) of its shape.
void check_weight(const char* name, const at::Tensor& value, const at::Tensor& main_grad, const at::Tensor& x);

}  // namespace longhaul::ops
