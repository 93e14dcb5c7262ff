// A thread block a token: every thread moves pairs of packs, channels c and c + half of one head, or a pack
// of what is not rotated. Each number is read once and written once.
#include "ops/cuda_elements.cuh"
#include "ops/rotary_kernels.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 256;

__device__ int64_t position_of(const RotaryArguments& a, int64_t token) {
  int64_t position;
  if (a.positions) {
    position = a.positions[token];
  } else {
    int64_t low = 0, high = a.documents;  // the last border that does not exceed `token` is in [low, high)
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (a.borders[middle] <= token ? low : high) = middle;
    }
    position = token - a.borders[low];
  }
  return position < 0 ? 0 : position < a.table_rows ? position : a.table_rows - 1;
}

template <typename T, int N>
__global__ void __launch_bounds__(kThreads) rotary_kernel(const RotaryArguments a) {
  using A = Compute<T>;
  const int64_t token = blockIdx.x;
  const int slots = static_cast<int>(a.kv_heads * (a.per_group + 2)), per_slot = static_cast<int>(a.per_group + 2);
  const int head_dim = static_cast<int>(a.head_dim), half = static_cast<int>(a.rotary_half);
  const int pairs = half / N, items = head_dim / N - pairs;  // of a head
  const int64_t row = half > 0 ? position_of(a, token) * half : 0;
  T* const fused = static_cast<T*>(a.qkv) + token * slots * head_dim;
  for (int i = threadIdx.x; i < slots * items; i += kThreads) {
    const int slot = i / items, item = i % items, group = slot / per_slot, part = slot % per_slot;
    T* apart;
    if (part < a.per_group) {
      apart = static_cast<T*>(a.q) + token * a.q_stride + (group * a.per_group + part) * head_dim;
    } else if (part == a.per_group) {
      apart = static_cast<T*>(a.k) + token * a.k_stride + group * head_dim;
    } else {
      apart = static_cast<T*>(a.v) + token * a.v_stride + group * head_dim;
    }
    T* const in_fused = fused + slot * head_dim;
    const T* const from = a.back ? apart : in_fused;
    T* const to = a.back ? in_fused : apart;
    if (item >= pairs) {
      const int c = 2 * half + (item - pairs) * N;
      store<N>(to, c, load<N>(from, c));
      continue;
    }
    const int c = item * N;
    Pack<T, N> first = load<N>(from, c), second = load<N>(from, c + half);
    if (part <= a.per_group) {
      const Pack<float, N> cosines = load<N>(a.cos, row + c), sines = load<N>(a.sin, row + c);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const A cosine = cosines.values[k], sine = a.back ? -sines.values[k] : sines.values[k];
        const A x = widen(first.values[k]), y = widen(second.values[k]);
        first.values[k] = narrow<T>(x * cosine - y * sine);
        second.values[k] = narrow<T>(y * cosine + x * sine);
      }
    }
    store<N>(to, c, first);
    store<N>(to, c + half, second);
  }
}

}  // namespace

void rotary(const RotaryArguments& a, void* stream) {
  if (a.tokens == 0) return;
  with_element_type(a.type, [&](auto element) {
    using T = decltype(element);
    constexpr int N = kFullPack<T>;
    const unsigned grid = static_cast<unsigned>(a.tokens);
    const bool packs = packs_fit<T, N>(a.head_dim, {a.qkv, a.q, a.k, a.v}) &&
                       packs_fit<float, N>(a.rotary_half, {a.cos, a.sin}) && a.q_stride % N == 0 &&
                       a.k_stride % N == 0 && a.v_stride % N == 0;
    if (packs) {
      start("rotary", rotary_kernel<T, N>, grid, kThreads, 0, stream, a);
    } else {
      start("rotary", rotary_kernel<T, 1>, grid, kThreads, 0, stream, a);
    }
  });
}

}  // namespace longhaul::ops::cuda
