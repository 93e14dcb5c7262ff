#include "ops/linear_gradients.h"

#include "ops/gemm.h"
#include "ops/saved_queue.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {

using torch::autograd::AutogradContext;

void save_main_grads(AutogradContext* context, const MainGrads& main_grads) {
  context->saved_data["weight_main_grad"] = main_grads.weight;
  context->saved_data["bias_main_grad"] = main_grads.bias;
  save_queue(context);
}

at::Tensor weight_gradient(AutogradContext* context, const at::Tensor& weight, const at::Tensor& dy,
                           const at::Tensor& x) {
  const WeightGradient gradient(weight, context->saved_data["weight_main_grad"].toTensor(),
                                context->needs_input_grad(1));
  gradient.add_product(dy.t(), x, saved_queue(context));
  return gradient.for_autograd();
}

at::Tensor bias_gradient(AutogradContext* context, const at::Tensor& bias, const at::Tensor& dy) {
  if (!bias.defined()) return {};
  const WeightGradient gradient(bias, context->saved_data["bias_main_grad"].toTensor(), context->needs_input_grad(2));
  if (gradient.sum().defined()) add_column_sums(dy, gradient.sum());
  return gradient.for_autograd();
}

}  // namespace longhaul::ops
