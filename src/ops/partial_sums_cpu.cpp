#include "ops/partial_sums_cpu.h"

#include <ATen/Parallel.h>

#include "ops/cpu_clones.h"

namespace longhaul::ops::cpu {
namespace {

template <typename A>
LONGHAUL_CLONES void add_columns(const A* partials, int64_t blocks, int64_t columns, A* sum, int64_t begin,
                                 int64_t end) {
  constexpr int64_t kTile = 64;  // columns at a time stay in registers
  for (int64_t tile = begin; tile < end; tile += kTile) {
    const int64_t width = end - tile < kTile ? end - tile : kTile;
    A total[kTile] = {};
    for (int64_t block = 0; block < blocks; ++block) {
      const A* __restrict row = partials + block * columns + tile;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) total[i] += row[i];
    }
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) sum[tile + i] += total[i];
  }
}

template <typename A>
void add(const A* partials, int64_t blocks, int64_t columns, A* sum) {
  if (!sum) return;
  at::parallel_for(0, columns, 1 + 32768 / blocks,
                   [&](int64_t begin, int64_t end) { add_columns(partials, blocks, columns, sum, begin, end); });
}

}  // namespace

void add_partials(const float* partials, int64_t blocks, int64_t columns, float* sum) {
  add(partials, blocks, columns, sum);
}
void add_partials(const double* partials, int64_t blocks, int64_t columns, double* sum) {
  add(partials, blocks, columns, sum);
}

}  // namespace longhaul::ops::cpu
