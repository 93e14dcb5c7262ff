// Full recomputation of a layer: the forward runs without autograd and keeps only its inputs; the backward replays it,
// with the same dropout streams, and differentiates the replay.
// (Chen et al., "Training deep nets with sublinear memory cost", 2016.)
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "model/host_activations.h"

namespace longhaul {

using TensorFunction = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

// body(inputs), recomputed in backward. `inputs` are defined tensors; parameters that `body` uses get their gradients
// in the replay (in main_grad or .grad), so they need not be among the inputs. `body` must be a pure function.
// With `host` the inputs wait there; then one backward is all there can be.
std::vector<at::Tensor> recompute_in_backward(const TensorFunction& body, const std::vector<at::Tensor>& inputs,
                                              const std::shared_ptr<HostActivations>& host = nullptr);

}  // namespace longhaul
