// The twin of src/ops/cuda_launch.cuh: a kernel has run when start() returns.
#pragma once

#include <cuda_runtime.h>

#include "ops/launch_error.h"

namespace longhaul::ops::cuda {

template <typename... Parameters, typename... Arguments>
void start(const char*, void (*kernel)(Parameters...), dim3 grid, dim3 threads, size_t shared_bytes, void*,
           const Arguments&... arguments) {
  emulation::run(grid, threads, shared_bytes, [&] { kernel(arguments...); });
}

inline void* shared_memory_of_block() {
  return emulation::state.shared_memory;
}

}  // namespace longhaul::ops::cuda
