#include "longhaul/ops/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/gemm.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const Untracked& weight_grad,
                            const Untracked& bias_grad) {
    const at::Tensor input = x.contiguous();
    at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
    gemm(input, weight.t(), y, GemmMode::overwrite, bias.value_or(at::Tensor()));
    context->save_for_backward({input, weight});
    context->saved_data["has_bias"] = bias.has_value();
    save_main_grad(context, "weight_grad", weight_grad);
    save_main_grad(context, "bias_grad", bias_grad);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    variable_list result(5);
    if (context->needs_input_grad(0)) {
      result[0] = at::empty_like(x);
      gemm(dy, weight, result[0]);
    }
    result[1] = add_weight_gradient(context, "weight_grad", 1, weight, [&](const at::Tensor& out, GemmMode mode) {
      gemm(dy.t(), x, out, mode);
    });
    if (context->saved_data["has_bias"].toBool()) {
      const at::Tensor main_grad = saved_main_grad(context, "bias_grad");
      if (main_grad.defined()) {
        add_column_sums(dy, main_grad);
      } else if (context->needs_input_grad(2)) {
        const auto sum_type = dy.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        const at::Tensor sums = at::zeros({dy.size(1)}, dy.options().dtype(sum_type));
        add_column_sums(dy, sums);
        result[2] = sums.to(dy.scalar_type());
      }
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
  return LinearFunction::apply(x, weight.value, bias.defined() ? std::optional(bias.value) : std::nullopt,
                               Untracked{weight.main_grad}, Untracked{bias.main_grad});
}

}  // namespace longhaul::ops
