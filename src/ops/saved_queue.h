// The weight gradients' queue between a forward and its backward. Autograd's saved data knows only integers and
// tensors; the queue outlives both.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "ops/weight_gradient_queue.h"

namespace longhaul::ops {

inline void save_queue(torch::autograd::AutogradContext* context) {
  context->saved_data["queue"] = reinterpret_cast<int64_t>(WeightGradientQueue::current());
}

inline WeightGradientQueue* saved_queue(torch::autograd::AutogradContext* context) {
  return reinterpret_cast<WeightGradientQueue*>(context->saved_data["queue"].toInt());
}

}  // namespace longhaul::ops
