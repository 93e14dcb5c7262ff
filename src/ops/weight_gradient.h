// Where a weight's gradient goes: added to its main_grad if it has one, else returned to autograd.
#pragma once

#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/gemm.h"

namespace longhaul::ops {

// Hides a tensor from autograd among the arguments of a Function.
struct Untracked {
  at::Tensor tensor;
};

// main_grad is no input of the graph: it is kept beside the saved variables, free of version checks.
inline void save_main_grad(torch::autograd::AutogradContext* context, const char* name, const Untracked& main_grad) {
  if (main_grad.tensor.defined()) context->saved_data[name] = main_grad.tensor;
}

inline at::Tensor saved_main_grad(torch::autograd::AutogradContext* context, const char* name) {
  const auto found = context->saved_data.find(name);
  return found == context->saved_data.end() ? at::Tensor() : found->second.toTensor();
}

// `compute(out, mode)` writes or adds the gradient of `weight`, input number `index`. Returns what autograd gets.
template <typename Compute>
at::Tensor add_weight_gradient(torch::autograd::AutogradContext* context, const char* name, int index,
                               const at::Tensor& weight, const Compute& compute) {
  if (const at::Tensor main_grad = saved_main_grad(context, name); main_grad.defined()) {
    compute(main_grad, GemmMode::accumulate);
    return {};
  }
  if (!context->needs_input_grad(index)) return {};
  at::Tensor gradient = at::empty_like(weight);
  compute(gradient, GemmMode::overwrite);
  return gradient;
}

}  // namespace longhaul::ops
