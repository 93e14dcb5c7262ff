#include "ops/device_borders.h"

#include "ops/upload.h"

namespace longhaul::ops {

at::Tensor borders_on(const std::vector<int32_t>& borders, c10::Device device) {
  struct Latest {
    std::vector<int32_t> borders;
    at::Tensor tensor;
  };
  thread_local Latest latest;
  if (latest.tensor.defined() && latest.tensor.device() == device && latest.borders == borders) return latest.tensor;
  latest = {borders, upload(borders, device)};
  return latest.tensor;
}

}  // namespace longhaul::ops
