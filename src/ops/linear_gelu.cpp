#include "longhaul/ops/linear_gelu.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/gemm_gelu.h"
#include "ops/linear_gradients.h"
#include "ops/linear_product.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// y = activated · weightᵀ + bias, of which autograd sees `pre` and the bias within it.
struct GeluLinearFunction : torch::autograd::Function<GeluLinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& pre, const at::Tensor& weight,
                            const std::optional<at::Tensor>& optional_bias,
                            const std::optional<at::Tensor>& optional_pre_bias, const GeluPair* pair,
                            const MainGrads& main_grads) {
    const at::Tensor& activated = pair->activated;
    const at::Tensor bias = optional_bias.value_or(at::Tensor());
    const at::Tensor y = at::empty({activated.size(0), weight.size(0)}, activated.options());
    gemm(activated, weight.t(), y, GemmMode::overwrite, bias);
    context->save_for_backward({pre, activated, weight, bias, optional_pre_bias.value_or(at::Tensor())});
    save_main_grads(context, main_grads);
    context->saved_data["pre_bias_main_grad"] = pair->bias.main_grad;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &pre = saved[0], &activated = saved[1], &weight = saved[2], &bias = saved[3], &pre_bias = saved[4];
    variable_list result(6);
    // Autograd's edges are those of the tensors that there are.
    const WeightGradient dpre_bias(pre_bias, context->saved_data["pre_bias_main_grad"].toTensor(),
                                   pre_bias.defined() && context->needs_input_grad(bias.defined() ? 3 : 2));
    if (context->needs_input_grad(0) || dpre_bias.sum().defined()) {
      result[0] = at::empty_like(pre);
      gemm_gelu_gradient(dy, weight, pre, result[0], dpre_bias.sum());
      result[3] = dpre_bias.for_autograd();
    }
    result[1] = weight_gradient(context, weight, dy, activated);
    result[2] = bias_gradient(context, bias, dy);
    return result;
  }
};

}  // namespace

GeluPair linear_gelu(const at::Tensor& x, const Weight& weight, const Weight& bias, GeluInput input) {
  check_linear(x, weight, bias);
  GeluPair pair{{}, {}, bias};
  const auto product = [&](const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor&) {
    pair.activated = at::empty_like(pre);
    (input == GeluInput::rounded ? gemm_gelu_apart : gemm_gelu)(a, b, pre, pair.activated, bias.value);
  };
  pair.pre = linear_by(product, x, weight, {});
  return pair;
}

at::Tensor gelu_linear(const GeluPair& pair, const Weight& weight, const Weight& bias) {
  LONGHAUL_CHECK(pair.pre.sizes() == pair.activated.sizes() && !pair.activated.requires_grad(),
                 "gelu_linear takes what linear_gelu gave");
  check_linear(pair.activated, weight, bias);
  return GeluLinearFunction::apply(pair.pre, weight.value, optional_tensor(bias.value),
                                   optional_tensor(pair.bias.value), &pair,
                                   MainGrads{weight.main_grad, bias.main_grad});
}

}  // namespace longhaul::ops
