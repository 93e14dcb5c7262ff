#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace longhaul {

// The most memory that this process has had so far, bytes: on a GPU in tensors there, on the CPU resident.
int64_t peak_memory(c10::Device device);

// The most that tensors on `device` have had since `reset_tensor_peak`, bytes as they asked for them; on the CPU
// without tensors below 1 MiB, which are few. It needs ops::keep_host_memory.
int64_t tensor_peak(c10::Device device);
void reset_tensor_peak(c10::Device device);

// Before the first tensor on a GPU: has LibTorch's allocator take memory in segments that grow, so that tensors of ever
// new sizes leave no holes. Unless the environment sets the allocator up (PYTORCH_ALLOC_CONF, PYTORCH_CUDA_ALLOC_CONF).
void prefer_expandable_segments();

// What is left for tensors beside those there are, bytes.
int64_t free_memory(c10::Device device);

}  // namespace longhaul
