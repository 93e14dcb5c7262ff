#include "longhaul/train/device_batch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

namespace longhaul {
namespace {

// To a GPU through pinned memory, without waiting: the allocator of pinned memory keeps it until the copy is done.
template <typename T>
at::Tensor copy_to(const std::vector<T>& values, c10::ScalarType type, c10::Device device) {
  const at::Tensor view = at::from_blob(const_cast<T*>(values.data()), {static_cast<int64_t>(values.size())},
                                        at::TensorOptions().dtype(type));
  if (device.is_cpu()) return view.clone();
  const at::Tensor staged = at::empty(view.sizes(), view.options().pinned_memory(true)).copy_(view);
  return staged.to(device, /*non_blocking=*/true);
}

}  // namespace

DeviceBatch to_device(const Batch& batch, double weight, c10::Device device, LayerContext& context) {
  context.cu_seqlens = batch.cu_seqlens;
  context.positions.reset();
  if (!batch.positions.empty()) {
    context.positions = copy_to(batch.positions, at::kLong, device);
    context.position_count = *std::max_element(batch.positions.begin(), batch.positions.end()) + 1;
  }
  DeviceBatch out{copy_to(batch.tokens, at::kLong, device), copy_to(batch.labels, at::kLong, device),
                  copy_to(batch.loss_mask, at::kFloat, device)};
  out.weights.mul_(weight);
  return out;
}

}  // namespace longhaul
