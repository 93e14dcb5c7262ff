#include "longhaul/parallel/parallel_linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "longhaul/core/error.h"
#include "longhaul/ops/linear.h"
#include "ops/dispatch.h"
#include "ops/linear_gradients.h"
#include "parallel/token_chunks.h"

namespace longhaul::parallel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Hidden from autograd: what is no input of the graph.
struct Extras {
  ops::MainGrads main_grads;
  TensorGroup group;
};

// Groups live as long as the model; autograd's saved data knows only integers and tensors.
void save(AutogradContext* context, const Extras& extras) {
  ops::save_main_grads(context, extras.main_grads);
  context->saved_data["ranks"] = reinterpret_cast<int64_t>(extras.group.ranks);
  context->saved_data["sequence"] = extras.group.sequence;
  context->saved_data["chunks"] = extras.group.chunks;
}

TensorGroup saved_group(AutogradContext* context) {
  return {reinterpret_cast<comm::Communicator*>(context->saved_data["ranks"].toInt()),
          context->saved_data["sequence"].toBool(), context->saved_data["chunks"].toInt()};
}

struct ColumnParallel : torch::autograd::Function<ColumnParallel> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_in, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const Extras& extras) {
    const at::Tensor x = x_in.contiguous();
    const at::Tensor y = GatheredTokens(x, extras.group).times(weight.t(), bias.value_or(at::Tensor()));
    context->save_for_backward({x, weight, bias.value_or(at::Tensor())});  // the slice: gathered again in backward
    save(context, extras);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
    const TensorGroup group = saved_group(context);
    const at::Tensor dy = gradients[0].contiguous();
    variable_list result(4);
    Pending all = gather_tokens(x, group);
    Pending dx;
    if (context->needs_input_grad(0)) dx = sum_of_products(dy, weight, group);
    result[1] = ops::weight_gradient(context, weight, dy, all.wait());
    result[2] = ops::bias_gradient(context, bias, dy);
    result[0] = dx.wait();
    return result;
  }
};

struct RowParallel : torch::autograd::Function<RowParallel> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_in, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const Extras& extras) {
    const at::Tensor x = x_in.contiguous();
    at::Tensor y = sum_of_products(x, weight.t(), extras.group).wait();
    if (bias) y.add_(*bias);
    context->save_for_backward({x, weight, bias.value_or(at::Tensor())});
    save(context, extras);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
    const at::Tensor held = gradients[0].contiguous();
    GatheredTokens all(held, saved_group(context));
    variable_list result(4);
    result[2] = ops::bias_gradient(context, bias, held);
    if (context->needs_input_grad(0)) result[0] = all.times(weight);
    result[1] = ops::weight_gradient(context, weight, all.take(), x);
    return result;
  }
};

struct GatherHidden : torch::autograd::Function<GatherHidden> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const Extras& extras) {
    save(context, extras);
    return gather_tokens(hidden, extras.group).wait();
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {sum_partials(gradients[0].clone(at::MemoryFormat::Contiguous), saved_group(context)).wait(), {}};
  }
};

struct ReduceHidden : torch::autograd::Function<ReduceHidden> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& partial, const Extras& extras) {
    save(context, extras);
    return sum_partials(partial.clone(at::MemoryFormat::Contiguous), extras.group).wait();
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gather_tokens(gradients[0].contiguous(), saved_group(context)).wait(), {}};
  }
};

}  // namespace

at::Tensor column_parallel_linear(const at::Tensor& x, const ops::Weight& weight, const ops::Weight& bias,
                                  const TensorGroup& group) {
  if (!group.active()) return ops::linear(x, weight, bias);
  return ColumnParallel::apply(x, weight.value, ops::optional_tensor(bias.value),
                               Extras{{weight.main_grad, bias.main_grad}, group});
}

at::Tensor row_parallel_linear(const at::Tensor& x, const ops::Weight& weight, const ops::Weight& bias,
                               const TensorGroup& group) {
  if (!group.active()) return ops::linear(x, weight, bias);
  return RowParallel::apply(x, weight.value, ops::optional_tensor(bias.value),
                            Extras{{weight.main_grad, bias.main_grad}, group});
}

at::Tensor gather_hidden(const at::Tensor& hidden, const TensorGroup& group) {
  return group.active() ? GatherHidden::apply(hidden, Extras{{}, group}) : hidden;
}

at::Tensor reduce_hidden(const at::Tensor& partial, const TensorGroup& group) {
  return group.active() ? ReduceHidden::apply(partial, Extras{{}, group}) : partial;
}

}  // namespace longhaul::parallel
