// Dropout on the CPU. The random words of some hundred elements are drawn into a buffer in the L1 cache, many
// Philox blocks in the lanes of a vector, and then applied.
#include <ATen/Parallel.h>

#include <algorithm>

#include "ops/cpu_elements.h"
#include "ops/dropout_kernels.h"

namespace longhaul::ops::cpu {
namespace {

constexpr int64_t kBlocks = 128;  // Philox blocks drawn at a time, of four words each

// words[4 b + w] = word w of block first_block + b. Round by round over all blocks: the ten rounds of
// `philox` in one loop body give the vectoriser twice the work.
LONGHAUL_INLINE void draw(PhiloxKey key, uint64_t step, uint64_t first_block, uint32_t* __restrict words) {
  uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (int64_t b = 0; b < kBlocks; ++b) {
    const uint64_t block = first_block + static_cast<uint64_t>(b);
    c0[b] = static_cast<uint32_t>(block);
    c1[b] = static_cast<uint32_t>(block >> 32);
    c2[b] = static_cast<uint32_t>(step);
    c3[b] = static_cast<uint32_t>(step >> 32);
  }
  for (int round = 0; round < kPhiloxRounds; ++round) {
#pragma omp simd
    for (int64_t b = 0; b < kBlocks; ++b) {
      const PhiloxBlock next = philox_round({c0[b], c1[b], c2[b], c3[b]}, key);
      c0[b] = next.word0;
      c1[b] = next.word1;
      c2[b] = next.word2;
      c3[b] = next.word3;
    }
    key = next_philox_key(key);
  }
#pragma omp simd
  for (int64_t b = 0; b < kBlocks; ++b) {
    words[4 * b] = c0[b];
    words[4 * b + 1] = c1[b];
    words[4 * b + 2] = c2[b];
    words[4 * b + 3] = c3[b];
  }
}

template <typename T>
LONGHAUL_CLONES void dropout_range(const DropoutArguments& a, int64_t begin, int64_t end) {
  using A = Compute<T>;
  const T* __restrict x = static_cast<const T*>(a.x);
  T* __restrict y = static_cast<T*>(a.y);
  const A scale = static_cast<A>(a.scale);
  const DropoutCounter counter = counter_of(a);
  alignas(64) uint32_t words[4 * kBlocks];
  while (begin < end) {
    const uint64_t index = counter.first + static_cast<uint64_t>(begin);
    const int64_t skip = static_cast<int64_t>(index % 4);  // words of the first block that precede x[begin]
    const int64_t count = std::min(end - begin, 4 * kBlocks - skip);
    draw(a.key, counter.step, index / 4, words);
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
