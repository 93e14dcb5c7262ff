#include "ops/cuda_host_memory.h"

#include <cuda_runtime.h>

namespace longhaul::ops::cuda {

bool lock_host_memory(void* data, size_t bytes, const char** problem) {
  const cudaError_t error = cudaHostRegister(data, bytes, cudaHostRegisterPortable);
  if (error == cudaSuccess) return true;
  cudaGetLastError();  // or the next launch would report it
  *problem = cudaGetErrorString(error);
  return false;
}

bool unlock_host_memory(void* data) {
  if (cudaHostUnregister(data) == cudaSuccess) return true;
  cudaGetLastError();
  return false;
}

}  // namespace longhaul::ops::cuda
