#include "ops/cuda_elements.cuh"
#include "ops/partial_sums_cuda.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kColumns = 32, kGroups = 16;

// A thread sums one column over one sixteenth of the blocks; then the sixteenths are added up in order.
template <typename A>
__global__ void add_partials_kernel(const A* partials, int64_t blocks, int64_t columns, A* sum) {
  __shared__ A of_group[kGroups][kColumns];
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  const int64_t begin = blocks * threadIdx.y / kGroups, end = blocks * (threadIdx.y + 1) / kGroups;
  A total = 0;
  if (column < columns) {
#pragma unroll 4
    for (int64_t block = begin; block < end; ++block) total += partials[block * columns + column];
  }
  of_group[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  total = 0;
  for (int group = 0; group < kGroups; ++group) total += of_group[group][threadIdx.x];
  sum[column] += total;
}

template <typename A>
void add(const A* partials, int64_t blocks, int64_t columns, A* sum, void* stream) {
  if (!sum) return;
  const unsigned grid = static_cast<unsigned>((columns + kColumns - 1) / kColumns);
  start("add_partials", add_partials_kernel<A>, grid, dim3(kColumns, kGroups), 0, stream, partials, blocks, columns,
        sum);
}

}  // namespace

void add_partials(const float* partials, int64_t blocks, int64_t columns, float* sum, void* stream) {
  add(partials, blocks, columns, sum, stream);
}
void add_partials(const double* partials, int64_t blocks, int64_t columns, double* sum, void* stream) {
  add(partials, blocks, columns, sum, stream);
}

}  // namespace longhaul::ops::cuda
