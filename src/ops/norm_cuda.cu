// RMSNorm and LayerNorm on CUDA. A row belongs to one warp (short rows) or one thread block; it comes from
// memory once and from the L1 cache for every further pass.
#include "ops/cuda_elements.cuh"
#include "ops/norm_kernels.h"
#include "ops/partial_sums_cuda.h"

namespace longhaul::ops::cuda {
namespace {

// The pack of what is normalised: x, or residual + x rounded to the storage type.
template <typename T, int N>
__device__ Pack<T, N> normalised(const NormForward& a, int64_t offset) {
  Pack<T, N> x = load<N>(static_cast<const T*>(a.x), offset);
  if (a.residual) {
    const Pack<T, N> residual = load<N>(static_cast<const T*>(a.residual), offset);
#pragma unroll
    for (int k = 0; k < N; ++k) x.values[k] = narrow<T>(widen(x.values[k]) + widen(residual.values[k]));
  }
  return x;
}

template <typename T, int N>
__global__ void __launch_bounds__(1024) forward_kernel(const NormForward a) {
  using A = Compute<T>;
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= a.rows) return;
  const int64_t first = row * a.hidden;
  const A inverse_hidden = A(1) / static_cast<A>(a.hidden), weight_offset = a.zero_centered ? 1 : 0;
  const int stride = blockDim.x * N;

  A total = 0, square = 0;
  for (int64_t i = threadIdx.x * N; i < a.hidden; i += stride) {
    const Pack<T, N> x = normalised<T, N>(a, first + i);
    if (a.residual) store<N>(static_cast<T*>(a.sum), first + i, x);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const A value = widen(x.values[k]);
      total += value;
      square += value * value;
    }
  }
  A mean = 0;
  if (a.layer_norm) {
    mean = row_sum(total) * inverse_hidden;
    square = 0;
    for (int64_t i = threadIdx.x * N; i < a.hidden; i += stride) {
      const Pack<T, N> x = normalised<T, N>(a, first + i);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const A centred = widen(x.values[k]) - mean;
        square += centred * centred;
      }
    }
  }
  const A rstd = A(1) / sqrt(row_sum(square) * inverse_hidden + static_cast<A>(a.eps));
  if (threadIdx.x == 0) {
    static_cast<A*>(a.rstd)[row] = rstd;
    if (a.layer_norm) static_cast<A*>(a.mean)[row] = mean;
  }
  for (int64_t i = threadIdx.x * N; i < a.hidden; i += stride) {
    const Pack<T, N> x = normalised<T, N>(a, first + i), weight = load<N>(static_cast<const T*>(a.weight), i);
    Pack<T, N> bias, y;
    if (a.bias) bias = load<N>(static_cast<const T*>(a.bias), i);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      A value = (widen(x.values[k]) - mean) * rstd * (widen(weight.values[k]) + weight_offset);
      if (a.bias) value += widen(bias.values[k]);
      y.values[k] = narrow<T>(value);
    }
    store<N>(static_cast<T*>(a.y), first + i, y);
  }
}

// A pack of sums, in shared memory or in global.
template <int N, typename A>
__device__ Pack<A, N>& sums_at(A* sums, int64_t offset) {
  return *reinterpret_cast<Pack<A, N>*>(sums + offset);
}

template <int N, typename A>
__device__ void add(A* to, int64_t offset, const Pack<A, N>& pack) {
  Pack<A, N> sum = sums_at<N>(to, offset);
#pragma unroll
  for (int k = 0; k < N; ++k) sum.values[k] += pack.values[k];
  sums_at<N>(to, offset) = sum;
}

// One row of the backward; the formulas are in norm_cpu.cpp. A thread always has the same columns, so it adds
// to `dweight` and `dbias` (of its row slot, or null) without synchronisation.
template <typename T, int N>
__device__ void backward_row(const NormBackward& a, int64_t row, Compute<T>* dweight, Compute<T>* dbias) {
  using A = Compute<T>;
  const int64_t first = row * a.hidden;
  const A inverse_hidden = A(1) / static_cast<A>(a.hidden), weight_offset = a.zero_centered ? 1 : 0;
  const int stride = blockDim.x * N;
  const T *x_rows = static_cast<const T*>(a.x), *dy_rows = static_cast<const T*>(a.dy);
  const T *dsum_rows = static_cast<const T*>(a.dsum), *weights = static_cast<const T*>(a.weight);
  const A rstd = static_cast<const A*>(a.rstd)[row];
  const A mean = a.layer_norm ? static_cast<const A*>(a.mean)[row] : A(0);

  const int64_t own = threadIdx.x * N;  // this thread's first column; of most rows its only pack
  Pack<T, N> own_dsum{};                // under way while the row's sums are computed
  if (a.dsum && own < a.hidden) own_dsum = load<N>(dsum_rows, first + own);
  A total_g = 0, total_gn = 0;
  for (int64_t i = threadIdx.x * N; i < a.hidden; i += stride) {
    const Pack<T, N> x = load<N>(x_rows, first + i), dy = load<N>(dy_rows, first + i), weight = load<N>(weights, i);
    Pack<A, N> n, d;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      n.values[k] = (widen(x.values[k]) - mean) * rstd;
      d.values[k] = widen(dy.values[k]);
      const A g = d.values[k] * (widen(weight.values[k]) + weight_offset);
      total_g += g;
      total_gn += g * n.values[k];
      n.values[k] *= d.values[k];
    }
    if (dweight) add<N>(dweight, i, n);
    if (dbias) add<N>(dbias, i, d);
  }
  const A mean_g = a.layer_norm ? row_sum(total_g) * inverse_hidden : A(0);
  const A mean_gn = row_sum(total_gn) * inverse_hidden;
  for (int64_t i = threadIdx.x * N; i < a.hidden; i += stride) {
    const Pack<T, N> x = load<N>(x_rows, first + i), dy = load<N>(dy_rows, first + i), weight = load<N>(weights, i);
    Pack<T, N> dsum, dx;
    if (a.dsum) dsum = i == own ? own_dsum : load<N>(dsum_rows, first + i);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const A n = (widen(x.values[k]) - mean) * rstd;
      const A g = widen(dy.values[k]) * (widen(weight.values[k]) + weight_offset);
      A value = rstd * (g - mean_g - n * mean_gn);
      if (a.dsum) value += widen(dsum.values[k]);
      dx.values[k] = narrow<T>(value);
    }
    store<N>(static_cast<T*>(a.dx), first + i, dx);
  }
}

// A thread block takes one block of rows, blockDim.y rows at a time, each with sums of its own in shared
// memory: [dweight, dbias as wanted][blockDim.y][hidden]. Where those don't fit, blockDim.y is 1 and the sums
// are in `partials`.
template <typename T, int N>
__global__ void __launch_bounds__(1024) backward_kernel(const NormBackward a, bool in_shared_memory) {
  using A = Compute<T>;
  void* const shared_memory = shared_memory_of_block();
  const int64_t block = blockIdx.x, slots = blockDim.y;
  A* partial_dweight = static_cast<A*>(a.partials) + block * a.hidden;
  A* partial_dbias = partial_dweight + a.blocks.count * a.hidden;
  A *dweight = partial_dweight, *dbias = partial_dbias;
  if (in_shared_memory) {
    A* sums = static_cast<A*>(shared_memory) + threadIdx.y * a.hidden;
    dweight = sums;
    dbias = a.dweight ? sums + slots * a.hidden : sums;
  }
  if (!a.dweight) dweight = nullptr;
  if (!a.dbias) dbias = nullptr;
  for (int64_t i = threadIdx.x * N; i < a.hidden; i += blockDim.x * N) {
    if (dweight) sums_at<N>(dweight, i) = Pack<A, N>{};
    if (dbias) sums_at<N>(dbias, i) = Pack<A, N>{};
  }
  const int64_t begin = a.rows * block / a.blocks.count, end = a.rows * (block + 1) / a.blocks.count;
  for (int64_t row = begin + threadIdx.y; row < end; row += slots) backward_row<T, N>(a, row, dweight, dbias);
  if (!in_shared_memory) return;
  __syncthreads();
  for (int64_t i = threadIdx.y * blockDim.x + threadIdx.x; i < a.hidden; i += blockDim.x * slots) {
    const A* sums = static_cast<const A*>(shared_memory) + i;
    for (int which = 0; which < 2; ++which) {
      if (which == 0 ? !a.dweight : !a.dbias) continue;
      A total = 0;
      for (int64_t slot = 0; slot < slots; ++slot) total += sums[slot * a.hidden];
      (which == 0 ? partial_dweight : partial_dbias)[i] = total;
      sums += slots * a.hidden;
    }
  }
}

// Two sums over the threads of a block that takes one row after another, with one barrier: rows write to one half of
// the memory and the other in turn, and nobody is two rows ahead of another.
template <typename A>
struct TwoSums {
  A first, second;
};

template <bool kBoth, typename A>
__device__ TwoSums<A> block_sums(TwoSums<A> own, int64_t row) {
  __shared__ TwoSums<A> of_warp[2][32];
  own.second = warp_sum(own.second);
  if (kBoth) own.first = warp_sum(own.first);
  TwoSums<A>* const half = of_warp[row % 2];
  if (threadIdx.x % 32 == 0) half[threadIdx.x / 32] = own;
  __syncthreads();
  TwoSums<A> total{};
  for (int warp = 0; warp < blockDim.x / 32; ++warp) {
    if (kBoth) total.first += half[warp].first;
    total.second += half[warp].second;
  }
  return total;
}

template <bool kLayerNorm>
constexpr int kRegisterThreads = kLayerNorm ? 512 : 1024;  // with more, LayerNorm's registers would not suffice

// The backward where a thread has one pack of each row: all that a row needs is in registers, and so are the sums over
// rows; the next row's numbers are under way meanwhile. A thread block takes one block of rows.
template <typename T, int N, bool kLayerNorm>
__global__ void __launch_bounds__(kRegisterThreads<kLayerNorm>) backward_in_registers_kernel(const NormBackward a) {
  using A = Compute<T>;
  const int64_t block = blockIdx.x, column = int64_t{threadIdx.x} * N;
  const bool active = column < a.hidden;
  const A inverse_hidden = A(1) / static_cast<A>(a.hidden), weight_offset = a.zero_centered ? 1 : 0;
  const int64_t begin = a.rows * block / a.blocks.count, end = a.rows * (block + 1) / a.blocks.count;
  struct Row {
    Pack<T, N> x, dy, dsum;
    A rstd, mean;
  };
  Row next{};
  const auto read = [&](int64_t row) {
    if (row >= end || !active) return;
    const int64_t first = row * a.hidden + column;
    next.x = load<N>(static_cast<const T*>(a.x), first);
    next.dy = load<N>(static_cast<const T*>(a.dy), first);
    if (a.dsum) next.dsum = load<N>(static_cast<const T*>(a.dsum), first);
    next.rstd = static_cast<const A*>(a.rstd)[row];
    if (kLayerNorm) next.mean = static_cast<const A*>(a.mean)[row];
  };
  Pack<T, N> weight{};
  if (active) weight = load<N>(static_cast<const T*>(a.weight), column);
  Pack<A, N> dweight{}, dbias{};
  read(begin);
  for (int64_t row = begin; row < end; ++row) {
    const Row in = next;
    read(row + 1);
    Pack<A, N> n, g;
    TwoSums<A> own{};
#pragma unroll
    for (int k = 0; k < N; ++k) {
      n.values[k] = (widen(in.x.values[k]) - (kLayerNorm ? in.mean : A(0))) * in.rstd;
      const A d = widen(in.dy.values[k]);
      g.values[k] = d * (widen(weight.values[k]) + weight_offset);
      own.first += g.values[k];
      own.second += g.values[k] * n.values[k];
      dweight.values[k] += d * n.values[k];
      if (kLayerNorm) dbias.values[k] += d;
    }
    const TwoSums<A> sums = block_sums<kLayerNorm>(own, row);
    if (!active) continue;
    Pack<T, N> dx;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      A value = g.values[k] - n.values[k] * (sums.second * inverse_hidden);
      if (kLayerNorm) value -= sums.first * inverse_hidden;
      value *= in.rstd;
      if (a.dsum) value += widen(in.dsum.values[k]);
      dx.values[k] = narrow<T>(value);
    }
    store<N>(static_cast<T*>(a.dx), row * a.hidden + column, dx);
  }
  if (!active) return;
  A* const partials = static_cast<A*>(a.partials) + block * a.hidden;
  if (a.dweight) store<N>(partials, column, dweight);
  if (kLayerNorm && a.dbias) store<N>(partials + a.blocks.count * a.hidden, column, dbias);
}

constexpr int64_t kSharedBytes = 47 * 1024;  // a launch may use 48 KiB, row_sum's included

// The backward of rows of any length.
template <typename T, int N>
void start_backward(const NormBackward& a, dim3 threads, void* stream) {
  const int64_t wanted = (a.dweight ? 1 : 0) + (a.dbias ? 1 : 0);
  const int64_t bytes_per_slot = wanted * a.hidden * static_cast<int64_t>(sizeof(Compute<T>));
  while (threads.y > 1 && bytes_per_slot * threads.y > kSharedBytes) threads.y /= 2;
  const bool in_shared_memory = bytes_per_slot * threads.y <= kSharedBytes;
  const size_t bytes = in_shared_memory ? bytes_per_slot * threads.y : 0;
  start("norm_backward", backward_kernel<T, N>, static_cast<unsigned>(a.blocks.count), threads, bytes, stream, a,
        in_shared_memory);
}

}  // namespace

void norm_forward(const NormForward& a, void* stream) {
  with_pack(a.type, a.hidden, {a.x, a.residual, a.weight, a.bias, a.sum, a.y}, [&](auto element, auto pack) {
    constexpr int N = decltype(pack)::value;
    const dim3 threads = threads_for_rows(a.hidden / N);
    const unsigned grid = static_cast<unsigned>((a.rows + threads.y - 1) / threads.y);
    start("norm_forward", forward_kernel<decltype(element), N>, grid, threads, 0, stream, a);
  });
}

void norm_backward(const NormBackward& a, void* stream) {
  with_pack(a.type, a.hidden, {a.x, a.weight, a.dy, a.dsum, a.dx}, [&](auto element, auto pack) {
    using T = decltype(element);
    using A = Compute<T>;
    constexpr int N = decltype(pack)::value;
    const dim3 threads = threads_for_rows(a.hidden / N);
    const int64_t most = a.layer_norm ? kRegisterThreads<true> : kRegisterThreads<false>;
    if (threads.y == 1 && a.hidden / N <= most && (a.layer_norm || !a.dbias)) {
      start("norm_backward",
            a.layer_norm ? backward_in_registers_kernel<T, N, true> : backward_in_registers_kernel<T, N, false>,
            static_cast<unsigned>(a.blocks.count), threads, 0, stream, a);
    } else {
      start_backward<T, N>(a, threads, stream);
    }
    A* const partials = static_cast<A*>(a.partials);
    add_partials(partials, a.blocks.count, a.hidden, static_cast<A*>(a.dweight), stream);
    add_partials(partials + a.blocks.count * a.hidden, a.blocks.count, a.hidden, static_cast<A*>(a.dbias), stream);
  });
}

}  // namespace longhaul::ops::cuda
