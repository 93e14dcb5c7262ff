#include "longhaul/ops/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/linear_gradients.h"
#include "ops/linear_product.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& optional_bias, const MainGrads& main_grads,
                            const LinearProduct& product) {
    const at::Tensor input = x.contiguous(), bias = optional_bias.value_or(at::Tensor());
    const at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
    product(input, weight.t(), y, bias);
    context->save_for_backward({input, weight, bias});
    save_main_grads(context, main_grads);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
    variable_list result(5);
    if (context->needs_input_grad(0)) {
      result[0] = at::empty_like(x);
      gemm(dy, weight, result[0]);
    }
    result[1] = weight_gradient(context, weight, dy, x);
    result[2] = bias_gradient(context, bias, dy);
    return result;
  }
};

}  // namespace

void check_linear(const at::Tensor& x, const Weight& weight, const Weight& bias) {
  LONGHAUL_CHECK(x.dim() == 2 && weight.value.dim() == 2 && x.size(1) == weight.value.size(1),
                 "linear of x with {} dimensions and last size {} with a weight of {} columns", x.dim(), x.size(-1),
                 weight.value.size(-1));
  LONGHAUL_CHECK(!bias.defined() || bias.value.numel() == weight.value.size(0), "bias of {} elements for {} outputs",
                 bias.value.numel(), weight.value.size(0));
  check_weight("a linear's weight", weight.value, weight.main_grad, x);
  check_weight("a linear's bias", bias.value, bias.main_grad, x);
}

at::Tensor linear_by(const LinearProduct& product, const at::Tensor& x, const Weight& weight, const Weight& bias) {
  check_linear(x, weight, bias);
  return LinearFunction::apply(x, weight.value, optional_tensor(bias.value),
                               MainGrads{weight.main_grad, bias.main_grad}, product);
}

at::Tensor linear(const at::Tensor& x, const Weight& weight, const Weight& bias) {
  const auto product = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, const at::Tensor& addend) {
    gemm(a, b, out, GemmMode::overwrite, addend);
  };
  return linear_by(product, x, weight, bias);
}

}  // namespace longhaul::ops
