// Document borders on the device. All layers of a batch ask for the same ones: they are copied once, and
// nothing waits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace longhaul::ops {

// `borders` as an int32 tensor on `device`. Remembers the latest of each thread and device, so a tensor keeps
// its address while borders stay the same.
at::Tensor borders_on(const std::vector<int32_t>& borders, c10::Device device);

}  // namespace longhaul::ops
