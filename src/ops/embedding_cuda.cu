// Rows of a table on CUDA. blockIdx.x picks a token (backward: a place among the sorted ids), blockIdx.y and
// threadIdx.x a pack of columns.
#include "ops/cuda_elements.cuh"
#include "ops/embedding_kernels.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 128;

template <typename T, int N>
__global__ void forward_kernel(const EmbeddingForward a) {
  const int64_t column = (int64_t{blockIdx.y} * kThreads + threadIdx.x) * N, token = blockIdx.x;
  if (column >= a.hidden) return;
  const int64_t id = a.ids[token];
  const bool in_table = id >= 0 && id < a.rows;
  store<N>(static_cast<T*>(a.y), token * a.hidden + column,
           in_table ? load<N>(static_cast<const T*>(a.table), id * a.hidden + column) : Pack<T, N>{});
}

// The thread block of the first token of an id adds up all tokens of that id, in their order.
template <typename T, int N>
__global__ void backward_kernel(const EmbeddingBackward a) {
  using A = Compute<T>;
  const int64_t column = (int64_t{blockIdx.y} * kThreads + threadIdx.x) * N, first = blockIdx.x;
  const int64_t id = a.sorted_ids[first];
  if (column >= a.hidden || id < 0 || id >= a.rows || (first > 0 && a.sorted_ids[first - 1] == id)) return;
  A* row = static_cast<A*>(a.dtable) + id * a.hidden + column;
  Pack<A, N> sum = load<N>(row, 0);
  for (int64_t begin = first; begin < a.tokens && a.sorted_ids[begin] == id; begin += 4) {
    // Four rows under way at once, for a frequent token's sake.
    Pack<T, N> dy[4];
    bool same[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      same[j] = begin + j < a.tokens && a.sorted_ids[begin + j] == id;
      if (same[j]) dy[j] = load<N>(static_cast<const T*>(a.dy), a.order[begin + j] * a.hidden + column);
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (!same[j]) break;
#pragma unroll
      for (int k = 0; k < N; ++k) sum.values[k] += widen(dy[j].values[k]);
    }
  }
  store<N>(row, 0, sum);
}

dim3 grid_of(int64_t tokens, int64_t hidden, int pack) {
  const int64_t packs = (hidden + pack - 1) / pack;
  return dim3(static_cast<unsigned>(tokens), static_cast<unsigned>((packs + kThreads - 1) / kThreads));
}

}  // namespace

void embedding_forward(const EmbeddingForward& a, void* stream) {
  with_pack(a.type, a.hidden, {a.table, a.y}, [&](auto element, auto pack) {
    constexpr int N = decltype(pack)::value;
    start("embedding_forward", forward_kernel<decltype(element), N>, grid_of(a.tokens, a.hidden, N), kThreads, 0,
          stream, a);
  });
}

void embedding_backward(const EmbeddingBackward& a, void* stream) {
  with_pack(a.type, a.hidden, {a.dy, a.dtable}, [&](auto element, auto pack) {
    constexpr int N = decltype(pack)::value;
    start("embedding_backward", backward_kernel<decltype(element), N>, grid_of(a.tokens, a.hidden, N), kThreads, 0,
          stream, a);
  });
}

}  // namespace longhaul::ops::cuda
