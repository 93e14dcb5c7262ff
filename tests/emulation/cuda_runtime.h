// CUDA's kernel language for a C++ compiler, as far as src/ops uses it: the .cu files compile as C++ with
// this folder before the toolkit's, and their kernels run on the CPU (emulation.h). So their logic is tested
// where there is no GPU; what only a GPU shows (races between blocks, memory order, speed) is not.
#pragma once

#include <math.h>  // NOLINT: kernels call exp(float) and its like without std::

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "emulation.h"

#define __global__ static
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

using longhaul::emulation::dim3;
struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
#define threadIdx (longhaul::emulation::state.thread)
#define blockIdx (longhaul::emulation::state.block)
#define blockDim (longhaul::emulation::state.threads)
#define gridDim (longhaul::emulation::state.grid)

using cudaStream_t = void*;
using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
constexpr unsigned cudaHostAllocMapped = 2, cudaHostAllocPortable = 1;
inline const char* cudaGetErrorString(cudaError_t) {
  return "no error";
}
inline cudaError_t cudaGetDevice(int* device) {
  return *device = 0;
}
inline cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  return cudaSuccess;
}

inline void __syncthreads() {
  longhaul::emulation::wait_for_block();
}
inline void __threadfence_system() {}
inline float __expf(float x) {
  return expf(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline long long __double_as_longlong(double x) {
  return std::bit_cast<long long>(x);
}

inline int atomicExch(int* address, int value) {
  const int old = *address;
  *address = value;
  return old;
}

template <typename T>
T __shfl_xor_sync(unsigned, T value, int lane_mask) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = longhaul::emulation::exchange(bits, lane_mask);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
