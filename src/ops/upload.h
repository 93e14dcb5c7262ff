// Plain vectors as tensors on a device, without waiting for it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace longhaul::ops {

// [values] of T's dtype. To a GPU from pinned memory, which LibTorch keeps until the copy has happened: the copy is
// queued like a kernel.
template <typename T>
at::Tensor upload(const std::vector<T>& values, c10::Device device) {
  const at::Tensor host =
      at::empty({static_cast<int64_t>(values.size())},
                at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value).pinned_memory(!device.is_cpu()));
  std::copy(values.begin(), values.end(), host.mutable_data_ptr<T>());
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace longhaul::ops
