// Dropout on the CPU. The random words of some hundred elements are drawn into a buffer in the L1 cache, many Philox
// blocks in the lanes of a vector, and then applied.
#include <ATen/Parallel.h>

#include <algorithm>

#include "ops/cpu_elements.h"
#include "ops/dropout_kernels.h"

namespace longhaul::ops::cpu {
namespace {

constexpr int64_t kBlocks = 128;  // Philox blocks drawn at a time, of four words each

// words[4 b + w] = word w of block first_block + b.
LONGHAUL_INLINE void draw(const DropoutArguments& a, uint64_t first_block, uint32_t* __restrict words) {
  const uint32_t step_low = static_cast<uint32_t>(a.step), step_high = static_cast<uint32_t>(a.step >> 32);
#pragma omp simd
  for (int64_t b = 0; b < kBlocks; ++b) {
    const uint64_t block = first_block + static_cast<uint64_t>(b);
    const PhiloxBlock w =
        philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), step_low, step_high}, a.key);
    words[4 * b] = w.word0;
    words[4 * b + 1] = w.word1;
    words[4 * b + 2] = w.word2;
    words[4 * b + 3] = w.word3;
  }
}

template <typename T>
LONGHAUL_CLONES void dropout_range(const DropoutArguments& a, int64_t begin, int64_t end) {
  using A = Compute<T>;
  const T* __restrict x = static_cast<const T*>(a.x);
  T* __restrict y = static_cast<T*>(a.y);
  const A scale = static_cast<A>(a.scale);
  alignas(64) uint32_t words[4 * kBlocks];
  while (begin < end) {
    const uint64_t index = a.first + static_cast<uint64_t>(begin);
    const int64_t skip = static_cast<int64_t>(index % 4);  // words of the first block that precede x[begin]
    const int64_t count = std::min(end - begin, 4 * kBlocks - skip);
    draw(a, index / 4, words);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const A value = load(x, begin + i) * scale;
      store(y, begin + i, (words[skip + i] >> 8) >= a.threshold ? value : A(0));
    }
    begin += count;
  }
}

}  // namespace

void dropout(const DropoutArguments& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.count, 16384, [&](int64_t begin, int64_t end) { dropout_range<T>(a, begin, end); });
  });
}

}  // namespace longhaul::ops::cpu
