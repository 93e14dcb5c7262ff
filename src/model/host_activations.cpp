#include "model/host_activations.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {

size_t HostActivations::send(const std::vector<at::Tensor>& tensors) {
  std::vector<Moving>& layer = layers_.emplace_back();
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor from = tensor.detach();
    const at::Tensor host = copies_.host_tensor(from.sizes(), from.scalar_type());
    layer.push_back({host, at::empty({0}, from.options()), copies_.to_host(from, host)});
  }
  return layers_.size() - 1;
}

// Starts a layer's way back, unless it has started.
void HostActivations::fetch(std::vector<Moving>& tensors) {
  for (Moving& moving : tensors) {
    if (moving.device.sizes() == moving.host.sizes()) continue;
    moving.copy.make_stream_wait();  // the way there
    moving.device = at::empty(moving.host.sizes(), moving.device.options());
    moving.copy = copies_.to_device(moving.host, moving.device);
  }
}

std::vector<at::Tensor> HostActivations::take(size_t number) {
  LONGHAUL_CHECK(number < layers_.size() && !layers_[number].empty(), "the inputs of replay {} are not there", number);
  fetch(layers_[number]);
  std::vector<at::Tensor> tensors;
  for (Moving& moving : layers_[number]) {
    moving.copy.make_stream_wait();
    tensors.push_back(moving.device);
  }
  if (number > 0) fetch(layers_[number - 1]);
  layers_[number].clear();
  return tensors;
}

}  // namespace longhaul
