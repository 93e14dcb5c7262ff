#include "longhaul/ops/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/gemm.h"
#include "ops/saved_queue.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Hidden from autograd: the backward adds to them, they are no inputs of the graph.
struct MainGrads {
  at::Tensor weight;
  at::Tensor bias;
};

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const MainGrads& main_grads) {
    const at::Tensor input = x.contiguous();
    at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
    gemm(input, weight.t(), y, GemmMode::overwrite, bias.value_or(at::Tensor()));
    context->save_for_backward({input, weight, bias.value_or(at::Tensor())});
    context->saved_data["weight_main_grad"] = main_grads.weight;
    context->saved_data["bias_main_grad"] = main_grads.bias;
    save_queue(context);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor& bias = saved[2];
    variable_list result(4);
    if (context->needs_input_grad(0)) {
      result[0] = at::empty_like(x);
      gemm(dy, weight, result[0]);
    }
    const WeightGradient dweight(weight, context->saved_data["weight_main_grad"].toTensor(),
                                 context->needs_input_grad(1));
    dweight.add_product(dy.t(), x, saved_queue(context));
    result[1] = dweight.for_autograd();
    if (bias.defined()) {
      const WeightGradient dbias(bias, context->saved_data["bias_main_grad"].toTensor(), context->needs_input_grad(2));
      if (dbias.sum().defined()) add_column_sums(dy, dbias.sum());
      result[2] = dbias.for_autograd();
    }
    return result;
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const Weight& weight, const Weight& bias) {
  LONGHAUL_CHECK(x.dim() == 2 && weight.value.dim() == 2 && x.size(1) == weight.value.size(1),
                 "linear of x with {} dimensions and last size {} with a weight of {} columns", x.dim(), x.size(-1),
                 weight.value.size(-1));
  LONGHAUL_CHECK(!bias.defined() || bias.value.numel() == weight.value.size(0), "bias of {} elements for {} outputs",
                 bias.value.numel(), weight.value.size(0));
  check_weight("a linear's weight", weight.value, weight.main_grad, x);
  check_weight("a linear's bias", bias.value, bias.main_grad, x);
  return LinearFunction::apply(x, weight.value, bias.defined() ? std::optional(bias.value) : std::nullopt,
                               MainGrads{weight.main_grad, bias.main_grad});
}

}  // namespace longhaul::ops
