#include "model/recompute.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/saved_queue.h"

namespace longhaul {
namespace {

struct BodyHolder : torch::CustomClassHolder {
  explicit BodyHolder(TensorFunction function) : body(std::move(function)) {}
  TensorFunction body;
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const TensorFunction& body,
                                                at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    ops::save_queue(context);  // the replay belongs to it, too
    context->saved_data["body"] = c10::IValue::make_capsule(c10::make_intrusive<BodyHolder>(body));
    return body(inputs.vec());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto holder = c10::static_intrusive_pointer_cast<BodyHolder>(context->saved_data["body"].toCapsule());
    torch::autograd::variable_list inputs;
    for (const at::Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach().requires_grad_(saved.requires_grad()));
    }
    torch::autograd::variable_list outputs, output_gradients;
    {
      c10::AutoGradMode with_grad(true);
      const ops::WeightGradientQueue::Scope scope(ops::saved_queue(context));
      const auto replayed = holder->body(inputs);
      for (size_t i = 0; i < replayed.size(); ++i) {
        if (!gradients[i].defined() || !replayed[i].requires_grad()) continue;
        outputs.push_back(replayed[i]);
        output_gradients.push_back(gradients[i]);
      }
    }
    if (!outputs.empty()) torch::autograd::backward(outputs, output_gradients);
    torch::autograd::variable_list input_gradients{at::Tensor()};  // the body has none
    for (const at::Tensor& input : inputs) input_gradients.push_back(input.grad());
    return input_gradients;
  }
};

}  // namespace

std::vector<at::Tensor> recompute_in_backward(const TensorFunction& body, const std::vector<at::Tensor>& inputs) {
  if (!c10::GradMode::is_enabled()) return body(inputs);
  return RecomputeFunction::apply(body, at::TensorList(inputs));
}

}  // namespace longhaul
