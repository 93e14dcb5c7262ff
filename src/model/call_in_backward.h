// A function that runs when a backward pass comes by.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace longhaul {

// `tensors` themselves; the backward calls `function` once it has the gradients of all of them: of what follows all
// operators have run, and of what precedes none. Without autograd nothing ever calls it.
std::vector<at::Tensor> call_in_backward(std::function<void()> function, const std::vector<at::Tensor>& tensors);

// From within a backward: calls `function` when all of it is done.
void call_after_backward(std::function<void()> function);

}  // namespace longhaul
