#include "longhaul/ops/norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"
#include "ops/norm_kernels.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;

NormShape shape_of(const at::Tensor& x, const NormOptions& options) {
  return {element_type(x), x.size(0), x.size(1), options.layer_norm, options.zero_centered, options.eps};
}

// What every forward of this file computes; `sum` is undefined without a residual.
struct NormResult {
  at::Tensor sum, y, mean, rstd;
};

NormResult forward_kernel(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                          const at::Tensor& bias, const NormOptions& options) {
  const auto statistics = x.options().dtype(compute_type(x)).requires_grad(false);
  NormResult result;
  if (residual.defined()) result.sum = at::empty_like(x);
  result.y = at::empty_like(x);
  if (options.layer_norm) result.mean = at::empty({x.size(0)}, statistics);
  result.rstd = at::empty({x.size(0)}, statistics);

  NormForward arguments{shape_of(x, options)};
  arguments.x = data_or_null(x);
  arguments.residual = data_or_null(residual);
  arguments.weight = data_or_null(weight);
  arguments.bias = data_or_null(bias);
  arguments.sum = data_or_null(result.sum);
  arguments.y = data_or_null(result.y);
  arguments.mean = data_or_null(result.mean);
  arguments.rstd = data_or_null(result.rstd);
  if (x.numel() > 0) launch(x, cpu::norm_forward, LONGHAUL_CUDA_KERNEL(cuda::norm_forward), arguments);
  return result;
}

// Saved between forward and backward: {normalised, weight, bias, mean, rstd} as variables, the rest here.
void save(AutogradContext* context, const at::Tensor& normalised, const at::Tensor& weight, const at::Tensor& bias,
          const NormResult& result, const Weight& weight_grad, const Weight& bias_grad, const NormOptions& options) {
  context->set_materialize_grads(false);
  context->save_for_backward({normalised, weight, bias, result.mean, result.rstd});
  context->saved_data["weight_main_grad"] = weight_grad.main_grad;
  context->saved_data["bias_main_grad"] = bias_grad.main_grad;
  context->saved_data["layer_norm"] = options.layer_norm;
  context->saved_data["zero_centered"] = options.zero_centered;
}

struct NormGradients {
  at::Tensor x, weight, bias;
};

// dy [tokens, hidden] defined, dsum perhaps. `weight_edge` is the weight's place among the inputs of the
// function.
NormGradients backward_kernel(AutogradContext* context, const at::Tensor& dy, const at::Tensor& dsum,
                              size_t weight_edge) {
  const variable_list saved = context->get_saved_variables();
  const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3], &rstd = saved[4];
  NormOptions options;
  options.layer_norm = context->saved_data["layer_norm"].toBool();
  options.zero_centered = context->saved_data["zero_centered"].toBool();
  const WeightGradient dweight(weight, context->saved_data["weight_main_grad"].toTensor(),
                               context->needs_input_grad(weight_edge));
  const WeightGradient dbias(bias, context->saved_data["bias_main_grad"].toTensor(),
                             bias.defined() && context->needs_input_grad(weight_edge + 1));

  const at::Tensor dy_rows = dy.contiguous(), dsum_rows = dsum.defined() ? dsum.contiguous() : dsum;
  const at::Tensor dx = at::empty_like(x);
  NormBackward arguments{shape_of(x, options)};
  arguments.blocks = row_blocks(arguments.rows, on_cuda(x));
  const at::Tensor partials = at::empty({2, arguments.blocks.count, arguments.hidden}, rstd.options());
  arguments.x = data_or_null(x);
  arguments.weight = data_or_null(weight);
  arguments.mean = data_or_null(mean);
  arguments.rstd = data_or_null(rstd);
  arguments.dy = data_or_null(dy_rows);
  arguments.dsum = data_or_null(dsum_rows);
  arguments.dx = data_or_null(dx);
  arguments.dweight = data_or_null(dweight.sum());
  arguments.dbias = data_or_null(dbias.sum());
  arguments.partials = data_or_null(partials);
  if (x.numel() > 0) launch(x, cpu::norm_backward, LONGHAUL_CUDA_KERNEL(cuda::norm_backward), arguments);
  return {dx, dweight.for_autograd(), dbias.for_autograd()};
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const OptionalTensor& bias, const Weight& weight_grad, const Weight& bias_grad,
                            const NormOptions& options) {
    const at::Tensor rows = x.contiguous();
    const NormResult result = forward_kernel(rows, {}, weight, bias.value_or(at::Tensor()), options);
    save(context, rows, weight, bias.value_or(at::Tensor()), result, weight_grad, bias_grad, options);
    return result.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    if (!gradients[0].defined()) return variable_list(6);
    const NormGradients g = backward_kernel(context, gradients[0], {}, 1);
    return {g.x, g.weight, g.bias, {}, {}, {}};
  }
};

struct ResidualNormFunction : torch::autograd::Function<ResidualNormFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& residual,
                               const at::Tensor& weight, const OptionalTensor& bias, const Weight& weight_grad,
                               const Weight& bias_grad, const NormOptions& options) {
    const NormResult result =
        forward_kernel(x.contiguous(), residual.contiguous(), weight, bias.value_or(at::Tensor()), options);
    save(context, result.sum, weight, bias.value_or(at::Tensor()), result, weight_grad, bias_grad, options);
    return {result.sum, result.y};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor &dsum = gradients[0], &dy = gradients[1];
    if (!dy.defined()) return {dsum, dsum, {}, {}, {}, {}, {}};
    const NormGradients g = backward_kernel(context, dy, dsum, 2);
    return {g.x, g.x, g.weight, g.bias, {}, {}, {}};
  }
};

void check_inputs(const at::Tensor& x, const Weight& weight, const Weight& bias, const NormOptions& options) {
  LONGHAUL_CHECK(x.dim() == 2, "norm takes [tokens, hidden], not {} dimensions", x.dim());
  LONGHAUL_CHECK(weight.defined() && weight.value.dim() == 1 && weight.value.size(0) == x.size(1),
                 "the weight of a norm over {} needs that size", x.size(1));
  LONGHAUL_CHECK(!bias.defined() || (options.layer_norm && bias.value.sizes() == weight.value.sizes()),
                 "a norm's bias needs LayerNorm and the weight's size");
  check_weight("a norm's weight", weight.value, weight.main_grad, x);
  check_weight("a norm's bias", bias.value, bias.main_grad, x);
}

}  // namespace

at::Tensor norm(const at::Tensor& x, const Weight& weight, const Weight& bias, const NormOptions& options) {
  check_inputs(x, weight, bias, options);
  return NormFunction::apply(x, weight.value, optional_tensor(bias.value), weight, bias, options);
}

std::pair<at::Tensor, at::Tensor> residual_norm(const at::Tensor& x, const at::Tensor& residual, const Weight& weight,
                                                const Weight& bias, const NormOptions& options) {
  check_inputs(x, weight, bias, options);
  LONGHAUL_CHECK(residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type(),
                 "residual and x differ in shape or type");
  const variable_list outputs =
      ResidualNormFunction::apply(x, residual, weight.value, optional_tensor(bias.value), weight, bias, options);
  return {outputs[0], outputs[1]};
}

}  // namespace longhaul::ops
