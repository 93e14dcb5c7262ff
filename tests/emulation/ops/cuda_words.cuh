// The twin of src/ops/cuda_words.cuh.
#pragma once

#include <cuda_runtime.h>

namespace longhaul::ops::cuda {

template <typename T>
void store_word(T* to, T word) {
  *to = word;
}

}  // namespace longhaul::ops::cuda
