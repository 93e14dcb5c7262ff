// The bytes of a device's tensors in host memory, one piece after another through two buffers that take turns: while
// the caller uses a piece, the next is on its way.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <functional>
#include <span>

#include "ops/host_copies.h"

namespace longhaul::ops {

class HostPieces {
 public:
  HostPieces(c10::Device device, int64_t piece_bytes);

  // Calls `use` with the bytes of `tensor`, which is on the device, as they are when it is contiguous: pieces of
  // piece_bytes, in order, and the rest. A piece is there until `use` returns; what that throws is passed on.
  void read(const at::Tensor& tensor, const std::function<void(std::span<const std::byte>)>& use) const;

 private:
  const int64_t piece_bytes_;
  const HostCopies copies_;
  const std::array<at::Tensor, 2> buffers_;
};

}  // namespace longhaul::ops
