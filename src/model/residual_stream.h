#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace longhaul {

// The residual stream between two sublayers: the sum so far and the update that the next norm will add to it, so that
// addition and norm are one pass. hidden + update is what other frameworks call the layer's output.
struct ResidualStream {
  at::Tensor hidden;  // [tokens, hidden]
  at::Tensor update;  // [tokens, hidden], or undefined before the first sublayer
};

// call_in_backward for both tensors of a stream.
ResidualStream call_in_backward(std::function<void()> function, const ResidualStream& stream);

}  // namespace longhaul
