#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/host_copies.h"

namespace longhaul {

// The inputs of recomputed layers of one micro-batch in host memory, from the layer's forward to its backward. They
// come back a layer ahead, while the backward of the layer behind is computed.
class HostActivations {
 public:
  explicit HostActivations(c10::Device device) : copies_(device) {}

  // Sends a layer's inputs; returns the number to get them back by.
  size_t send(const std::vector<at::Tensor>& tensors);
  // On the device, for good. Those with the number before start on their way.
  std::vector<at::Tensor> take(size_t number);

 private:
  struct Moving {
    at::Tensor host, device;
    ops::HostCopies::Ticket copy;
  };
  void fetch(std::vector<Moving>& tensors);

  const ops::HostCopies copies_;
  std::vector<std::vector<Moving>> layers_;
};

}  // namespace longhaul
