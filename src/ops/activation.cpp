#include "longhaul/ops/activation.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/activation_kernels.h"
#include "ops/dispatch.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Activation kind_of(AutogradContext* context) {
  return static_cast<Activation>(context->saved_data["kind"].toInt());
}

struct GatedFunction : torch::autograd::Function<GatedFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, Activation kind) {
    const at::Tensor gate_up = input.contiguous();
    const int64_t columns = gate_up.size(1) / 2;
    const at::Tensor y = at::empty({gate_up.size(0), columns}, gate_up.options().requires_grad(false));
    const GatedForward arguments{
        {element_type(gate_up), kind, gate_up.size(0), columns}, data_or_null(gate_up), data_or_null(y)};
    if (y.numel() > 0) launch(y, cpu::gated_forward, LONGHAUL_CUDA_KERNEL(cuda::gated_forward), arguments);
    context->save_for_backward({gate_up});
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0], dy = gradients[0].contiguous();
    const at::Tensor dgate_up = at::empty_like(gate_up);
    const GatedBackward arguments{{element_type(gate_up), kind_of(context), dy.size(0), dy.size(1)},
                                  data_or_null(gate_up),
                                  data_or_null(dy),
                                  data_or_null(dgate_up)};
    if (dy.numel() > 0) launch(dy, cpu::gated_backward, LONGHAUL_CUDA_KERNEL(cuda::gated_backward), arguments);
    return {dgate_up, {}};
  }
};

struct ActivationFunction : torch::autograd::Function<ActivationFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const std::optional<at::Tensor>& optional_bias, const at::Tensor* bias_main_grad,
                            Activation kind) {
    const at::Tensor x = input.contiguous(), bias = optional_bias.value_or(at::Tensor());
    const at::Tensor y = at::empty_like(x);
    const ActivationForward arguments{
        {element_type(x), kind, x.size(0), x.size(1)}, data_or_null(x), data_or_null(bias), data_or_null(y)};
    if (x.numel() > 0) launch(x, cpu::activation_forward, LONGHAUL_CUDA_KERNEL(cuda::activation_forward), arguments);
    context->save_for_backward({x, bias});
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    context->saved_data["bias_main_grad"] = *bias_main_grad;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1];
    const at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    const WeightGradient dbias(bias, context->saved_data["bias_main_grad"].toTensor(),
                               bias.defined() && context->needs_input_grad(1));
    ActivationBackward arguments{{element_type(x), kind_of(context), x.size(0), x.size(1)}};
    arguments.x = data_or_null(x);
    arguments.bias = data_or_null(bias);
    arguments.dy = data_or_null(dy);
    arguments.dx = data_or_null(dx);
    arguments.blocks = row_blocks(x.size(0), on_cuda(x));
    at::Tensor partials;
    if (dbias.sum().defined()) {
      partials = at::empty({arguments.blocks.count, x.size(1)}, dbias.sum().options());
      arguments.dbias = data_or_null(dbias.sum());
      arguments.partials = data_or_null(partials);
    }
    if (x.numel() > 0) launch(x, cpu::activation_backward, LONGHAUL_CUDA_KERNEL(cuda::activation_backward), arguments);
    return {dx, dbias.for_autograd(), {}, {}};
  }
};

}  // namespace

at::Tensor gated_activation(const at::Tensor& gate_up, Activation kind) {
  LONGHAUL_CHECK(gate_up.dim() == 2 && gate_up.size(1) % 2 == 0, "a gated activation takes [tokens, 2f]");
  return GatedFunction::apply(gate_up, kind);
}

at::Tensor activation(const at::Tensor& x, const Weight& bias, Activation kind) {
  LONGHAUL_CHECK(x.dim() == 2, "an activation takes [tokens, f], not {} dimensions", x.dim());
  LONGHAUL_CHECK(!bias.defined() || (bias.value.dim() == 1 && bias.value.size(0) == x.size(1)),
                 "the bias of an activation over {} columns needs that size", x.size(1));
  check_weight("an activation's bias", bias.value, bias.main_grad, x);
  return ActivationFunction::apply(x, optional_tensor(bias.value), &bias.main_grad, kind);
}

}  // namespace longhaul::ops
