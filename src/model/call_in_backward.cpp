#include "model/call_in_backward.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>

namespace longhaul {
namespace {

struct FunctionHolder : torch::CustomClassHolder {
  explicit FunctionHolder(std::function<void()> f) : function(std::move(f)) {}
  std::function<void()> function;
};

struct CallInBackward : torch::autograd::Function<CallInBackward> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const c10::intrusive_ptr<FunctionHolder>& holder,
                                                at::TensorList tensors) {
    context->saved_data["function"] = c10::IValue::make_capsule(holder);
    return tensors.vec();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    c10::static_intrusive_pointer_cast<FunctionHolder>(context->saved_data["function"].toCapsule())->function();
    torch::autograd::variable_list input_gradients{at::Tensor()};  // the function has none
    input_gradients.insert(input_gradients.end(), gradients.begin(), gradients.end());
    return input_gradients;
  }
};

}  // namespace

std::vector<at::Tensor> call_in_backward(std::function<void()> function, const std::vector<at::Tensor>& tensors) {
  if (!c10::GradMode::is_enabled()) return tensors;
  return CallInBackward::apply(c10::make_intrusive<FunctionHolder>(std::move(function)), at::TensorList(tensors));
}

void call_after_backward(std::function<void()> function) {
  torch::autograd::Engine::get_default_engine().queue_callback(std::move(function));
}

}  // namespace longhaul
