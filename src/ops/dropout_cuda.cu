// Dropout on CUDA: a thread draws one Philox block and applies its four words.
#include "ops/cuda_elements.cuh"
#include "ops/dropout_kernels.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 256;

__device__ PhiloxBlock draw(PhiloxKey key, uint64_t step, uint64_t block) {
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(step),
                 static_cast<uint32_t>(step >> 32)},
                key);
}

template <typename T>
__device__ T drop(const DropoutArguments& a, T x, uint32_t word) {
  using A = Compute<T>;
  return narrow<T>((word >> 8) >= a.threshold ? widen(x) * static_cast<A>(a.scale) : A(0));
}

// `aligned`: x begins at a block's first word, and packs of four fit.
template <typename T, bool aligned>
__global__ void dropout_kernel(const DropoutArguments a, int64_t blocks) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const DropoutCounter counter = counter_of(a);
  // Words of the first block that precede x[0].
  const int64_t skip = aligned ? 0 : static_cast<int64_t>(counter.first % 4);
  for (int64_t b = int64_t{blockIdx.x} * kThreads + threadIdx.x; b < blocks; b += int64_t{gridDim.x} * kThreads) {
    const PhiloxBlock drawn = draw(a.key, counter.step, counter.first / 4 + static_cast<uint64_t>(b));
    const uint32_t words[4] = {drawn.word0, drawn.word1, drawn.word2, drawn.word3};
    const int64_t begin = 4 * b - skip;
    if constexpr (aligned) {
      Pack<T, 4> pack = load<4>(x, begin);
#pragma unroll
      for (int k = 0; k < 4; ++k) pack.values[k] = drop(a, pack.values[k], words[k]);
      store<4>(y, begin, pack);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int64_t i = begin + k;
        if (i >= 0 && i < a.count) y[i] = drop(a, x[i], words[k]);
      }
    }
  }
}

}  // namespace

void dropout(const DropoutArguments& a, void* stream) {
  with_element_type(a.type, [&](auto element) {
    using T = decltype(element);
    // Whatever the first token: rows of whole blocks begin at a block's first word, others with up to three before.
    const bool aligned = a.columns % 4 == 0 && packs_fit<T, 4>(a.count, {a.x, a.y});
    const int64_t blocks = aligned ? a.count / 4 : (a.count + 6) / 4;
    const int64_t wanted = (blocks + kThreads - 1) / kThreads;
    const unsigned grid = static_cast<unsigned>(wanted < 65536 ? wanted : 65536);
    if (aligned) {
      start("dropout", dropout_kernel<T, true>, grid, kThreads, 0, stream, a, blocks);
    } else {
      start("dropout", dropout_kernel<T, false>, grid, kThreads, 0, stream, a, blocks);
    }
  });
}

}  // namespace longhaul::ops::cuda
