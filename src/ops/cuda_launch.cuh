// How the launchers start kernels. tests/emulation has a twin of this file that runs them on a CPU.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "ops/launch_error.h"

namespace longhaul::ops::cuda {

inline cudaStream_t as_stream(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

// Queues kernel(arguments...) on `stream`; `name` is for the error that tells that it could not start.
template <typename... Parameters, typename... Arguments>
void start(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 threads, size_t shared_bytes, void* stream,
           const Arguments&... arguments) {
  kernel<<<grid, threads, shared_bytes, as_stream(stream)>>>(arguments...);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw_launch_error(name, cudaGetErrorString(error));
}

// The `shared_bytes` of a thread block.
__device__ inline void* shared_memory_of_block() {
  extern __shared__ __align__(16) unsigned char shared_memory[];
  return shared_memory;
}

}  // namespace longhaul::ops::cuda
