#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace longhaul {

// The most memory that this process has had so far, bytes: on a GPU in tensors there, on the CPU resident.
int64_t peak_memory(c10::Device device);

}  // namespace longhaul
