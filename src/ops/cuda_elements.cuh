// Loads, stores and sums of the CUDA kernels, the twin of cpu_elements.h: storage type T, arithmetic type
// Compute<T>, one rounding at the store. A kernel moves packs of N consecutive elements: 16 bytes where every
// pointer and row length allows it, single elements otherwise.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "ops/cuda_launch.cuh"
#include "ops/cuda_words.cuh"
#include "ops/element_type.h"

namespace longhaul::ops::cuda {

template <typename T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <typename T>
inline constexpr int kFullPack = 16 / sizeof(T);

template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
  T values[N];
};

__device__ inline float widen(float x) {
  return x;
}
__device__ inline double widen(double x) {
  return x;
}
__device__ inline float widen(__nv_bfloat16 x) {
  return __bfloat162float(x);
}

// Rounds to nearest, ties to even.
template <typename T>
__device__ T narrow(Compute<T> x) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

// e^x and a / b in the arithmetic of T. For BF16 these are the GPU's approximate instructions; the exact ones would
// take longer than the memory. They are off by 2⁻²² near 0 and by 1e-5 where |x| is 80, which BF16's rounding to 2⁻⁹
// hides; in a sum of exponentials relative to the greatest, as of a loss, the terms that count have the small error.
template <typename T>
__device__ Compute<T> exponential(Compute<T> x) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __expf(x);
  } else {
    return exp(x);
  }
}
template <typename T>
__device__ Compute<T> quotient(Compute<T> a, Compute<T> b) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __fdividef(a, b);
  } else {
    return a / b;
  }
}

// The pack that starts at element `offset`.
template <int N, typename T>
__device__ Pack<T, N> load(const T* from, int64_t offset) {
  return *reinterpret_cast<const Pack<T, N>*>(from + offset);
}

// To global memory. A plain assignment is not enough: where nvcc loses track of an address's alignment, as in loops
// over rows, it makes one store for every element or two, at a fraction of the speed (tests/kernels looks at the
// machine code).
template <int N, typename T>
__device__ void store(T* to, int64_t offset, const Pack<T, N>& pack) {
  constexpr int kBytes = sizeof(Pack<T, N>);
  using Word = std::conditional_t<kBytes % 16 == 0, uint4, std::conditional_t<kBytes == 8, uint2, T>>;
  constexpr int kWords = kBytes / sizeof(Word);
  static_assert(kWords * sizeof(Word) == kBytes);
  Word words[kWords];
  memcpy(words, &pack, kBytes);
#pragma unroll
  for (int i = 0; i < kWords; ++i) store_word(reinterpret_cast<Word*>(to + offset) + i, words[i]);
}

// The sum over a warp, the same in every lane.
template <typename A>
__device__ A warp_sum(A x) {
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffff, x, lanes);
  return x;
}

// The sum over the threads of one row: a warp where blockDim.y > 1 (blockDim.x is then 32), else the whole
// block, whose warps are added up in order. Every thread of the row has to call it, and gets the sum.
template <typename A>
__device__ A row_sum(A x) {
  x = warp_sum(x);
  if (blockDim.y > 1 || blockDim.x == 32) return x;
  __shared__ A of_warp[32];
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
  __syncthreads();
  A total = 0;
  for (int warp = 0; warp < blockDim.x / 32; ++warp) total += of_warp[warp];
  __syncthreads();  // before the next sum writes of_warp
  return total;
}

// Threads for rows of `packs` packs: a warp a row and several rows a block for short rows, else a block a
// row.
inline dim3 threads_for_rows(int64_t packs) {
  if (packs <= 128) return dim3(32, 8);
  return dim3(static_cast<unsigned>(packs >= 1024 ? 1024 : (packs + 31) / 32 * 32));
}

// Whether rows of `columns` elements can move in packs of N: each pointer aligned to a pack, or null.
template <typename T, int N>
bool packs_fit(int64_t columns, std::initializer_list<const void*> pointers) {
  if (columns % N != 0) return false;
  for (const void* pointer : pointers) {
    if (reinterpret_cast<uintptr_t>(pointer) % alignof(Pack<T, N>) != 0) return false;
  }
  return true;
}

// Calls function(T{}) with the storage type that `type` names.
template <typename Function>
void with_element_type(ElementType type, Function&& function) {
  switch (type) {
    case ElementType::float32:
      return function(float{});
    case ElementType::bfloat16:
      return function(__nv_bfloat16{});
    case ElementType::float64:
      return function(double{});
  }
}

// Calls function(T{}, integral_constant<N>) with the widest pack that fits.
template <typename Function>
void with_pack(ElementType type, int64_t columns, std::initializer_list<const void*> pointers, Function&& function) {
  with_element_type(type, [&](auto element) {
    using T = decltype(element);
    if (packs_fit<T, kFullPack<T>>(columns, pointers)) {
      function(element, std::integral_constant<int, kFullPack<T>>{});
    } else {
      function(element, std::integral_constant<int, 1>{});
    }
  });
}

}  // namespace longhaul::ops::cuda
