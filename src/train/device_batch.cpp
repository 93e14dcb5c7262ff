#include "longhaul/train/device_batch.h"

#include <algorithm>

#include "ops/upload.h"

namespace longhaul {

DeviceBatch to_device(const Batch& batch, double weight, c10::Device device, LayerContext& context) {
  context.cu_seqlens = batch.cu_seqlens;
  context.positions.reset();
  if (!batch.positions.empty()) {
    context.positions = ops::upload(batch.positions, device);
    context.position_count = *std::max_element(batch.positions.begin(), batch.positions.end()) + 1;
  }
  DeviceBatch out{ops::upload(batch.tokens, device), ops::upload(batch.labels, device),
                  ops::upload(batch.loss_mask, device)};
  out.weights.mul_(weight);
  return out;
}

}  // namespace longhaul
