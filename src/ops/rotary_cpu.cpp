#include <ATen/Parallel.h>

#include <algorithm>

#include "ops/cpu_elements.h"
#include "ops/rotary_kernels.h"

namespace longhaul::ops::cpu {
namespace {

// The document's first token is the last border that does not exceed `token`.
int64_t position_of(const RotaryArguments& a, int64_t token) {
  if (a.positions != nullptr) return a.positions[token];
  return token - *(std::upper_bound(a.borders, a.borders + a.documents + 1, token) - 1);
}

// One head of one token: `to` = `from`, its first 2 · half channels turned.
template <typename T>
LONGHAUL_CLONES void turn(const T* from, T* to, int64_t head_dim, int64_t half, const float* cos, const float* sin,
                          float direction) {
  using A = Compute<T>;
#pragma omp simd
  for (int64_t c = 0; c < half; ++c) {
    const A first = load(from, c), second = load(from, c + half);
    const A cosine = cos[c], sine = sin[c] * direction;
    store(to, c, first * cosine - second * sine);
    store(to, c + half, second * cosine + first * sine);
  }
  std::copy(from + 2 * half, from + head_dim, to + 2 * half);
}

template <typename T>
void rotate_token(const RotaryArguments& a, int64_t token) {
  const int64_t row = a.rotary_half > 0 ? position_of(a, token) * a.rotary_half : 0;
  const float direction = a.back ? -1.0F : 1.0F;
  T* fused = static_cast<T*>(a.qkv) + token * a.kv_heads * (a.per_group + 2) * a.head_dim;
  const auto move = [&](T* apart, bool rotated) {
    const int64_t half = rotated ? a.rotary_half : 0;
    turn<T>(a.back ? apart : fused, a.back ? fused : apart, a.head_dim, half, a.cos + row, a.sin + row, direction);
    fused += a.head_dim;
  };
  for (int64_t group = 0; group < a.kv_heads; ++group) {
    T* const q = static_cast<T*>(a.q) + token * a.q_stride + group * a.per_group * a.head_dim;
    for (int64_t head = 0; head < a.per_group; ++head) move(q + head * a.head_dim, true);
    move(static_cast<T*>(a.k) + token * a.k_stride + group * a.head_dim, true);
    move(static_cast<T*>(a.v) + token * a.v_stride + group * a.head_dim, false);
  }
}

}  // namespace

void rotary(const RotaryArguments& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.tokens, 16, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) rotate_token<T>(a, token);
    });
  });
}

}  // namespace longhaul::ops::cpu
