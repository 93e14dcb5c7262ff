#include "ops/device_borders.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace longhaul::ops {

at::Tensor borders_on(const std::vector<int32_t>& borders, c10::Device device) {
  struct Latest {
    std::vector<int32_t> borders;
    at::Tensor tensor;
  };
  thread_local Latest latest;
  if (latest.tensor.defined() && latest.tensor.device() == device && latest.borders == borders) return latest.tensor;
  // From pinned memory, which LibTorch keeps until the copy has happened, the copy is queued like a kernel.
  const at::Tensor host = at::empty({static_cast<int64_t>(borders.size())},
                                    at::TensorOptions().dtype(at::kInt).pinned_memory(!device.is_cpu()));
  std::copy(borders.begin(), borders.end(), host.mutable_data_ptr<int32_t>());
  latest = {borders, host.to(device, /*non_blocking=*/true)};
  return latest.tensor;
}

}  // namespace longhaul::ops
