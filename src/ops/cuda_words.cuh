// Stores to global memory that are one instruction each. tests/emulation has a twin of this file.
#pragma once

#include <cuda_runtime.h>

namespace longhaul::ops::cuda {

__device__ inline void store_word(uint4* to, uint4 word) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(word.x), "r"(word.y),
               "r"(word.z), "r"(word.w)
               : "memory");
}
__device__ inline void store_word(uint2* to, uint2 word) {
  asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "r"(word.x), "r"(word.y)
               : "memory");
}
template <typename T>
__device__ void store_word(T* to, T word) {
  *to = word;
}

}  // namespace longhaul::ops::cuda
