// What the backwards of linear operators share: the gradients of a weight and of a bias, given that of the output.
// Such an operator's tensors in autograd are its input, the weight and the bias, in this order.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

namespace longhaul::ops {

// Hidden from autograd: the backward adds to them, they are no inputs of the graph.
struct MainGrads {
  at::Tensor weight;
  at::Tensor bias;
};

// In the forward: keeps the main gradients, and the queue that the weight's gradient may wait in.
void save_main_grads(torch::autograd::AutogradContext* context, const MainGrads& main_grads);

// dyᵀ · x, for autograd; undefined where it was added to the main gradient (or will be, by the queue), or nobody wants
// it.
at::Tensor weight_gradient(torch::autograd::AutogradContext* context, const at::Tensor& weight, const at::Tensor& dy,
                           const at::Tensor& x);

// The sums of the columns of dy, likewise; undefined without a bias.
at::Tensor bias_gradient(torch::autograd::AutogradContext* context, const at::Tensor& bias, const at::Tensor& dy);

}  // namespace longhaul::ops
