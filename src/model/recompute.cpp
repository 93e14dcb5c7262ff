#include "model/recompute.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "ops/saved_queue.h"

namespace longhaul {
namespace {

struct Replay : torch::CustomClassHolder {
  Replay(TensorFunction body, std::shared_ptr<HostActivations> host) : body(std::move(body)), host(std::move(host)) {}
  TensorFunction body;
  std::shared_ptr<HostActivations> host;  // null: autograd keeps the inputs
  size_t number = 0;                      // of the inputs, there
  std::vector<bool> requires_grad;        // by input
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const c10::intrusive_ptr<Replay>& replay, at::TensorList inputs) {
    for (const at::Tensor& input : inputs) replay->requires_grad.push_back(input.requires_grad());
    if (replay->host) {
      replay->number = replay->host->send(inputs.vec());
    } else {
      context->save_for_backward(inputs.vec());
    }
    ops::save_queue(context);  // the replay belongs to it, too
    context->saved_data["replay"] = c10::IValue::make_capsule(replay);
    return replay->body(inputs.vec());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto replay = c10::static_intrusive_pointer_cast<Replay>(context->saved_data["replay"].toCapsule());
    torch::autograd::variable_list inputs =
        replay->host ? replay->host->take(replay->number) : context->get_saved_variables();
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = inputs[i].detach().requires_grad_(replay->requires_grad[i]);
    torch::autograd::variable_list outputs, output_gradients;
    {
      c10::AutoGradMode with_grad(true);
      const ops::WeightGradientQueue::Scope scope(ops::saved_queue(context));
      const auto replayed = replay->body(inputs);
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

std::vector<at::Tensor> recompute_in_backward(const TensorFunction& body, const std::vector<at::Tensor>& inputs,
                                              const std::shared_ptr<HostActivations>& host) {
  if (!c10::GradMode::is_enabled()) return body(inputs);
  return RecomputeFunction::apply(c10::make_intrusive<Replay>(body, host), at::TensorList(inputs));
}

}  // namespace longhaul
