// Loads and stores of the CPU kernels: storage type T, arithmetic type Compute<T>, one rounding at the store.
// All of it vectorises; c10's own conversions branch on NaN.
#pragma once

#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>
#include <type_traits>

#include "ops/cpu_clones.h"
#include "ops/element_type.h"

namespace longhaul::ops::cpu {

template <typename T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <typename T>
LONGHAUL_INLINE Compute<T> load(const T* from, int64_t i) {
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    return std::bit_cast<float>(uint32_t{from[i].x} << 16);
  } else {
    return from[i];
  }
}

// Rounds to nearest, ties to even; NaN stays NaN.
template <typename T>
LONGHAUL_INLINE void store(T* to, int64_t i, Compute<T> value) {
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    to[i].x = static_cast<uint16_t>(value != value ? 0x7FC0 : rounded);
  } else {
    to[i] = value;
  }
}

// Σ term(i) for i in [0, n), in four interleaved sums to hide the latency of the additions. `term` has to be
// marked always_inline, or it is compiled for the baseline.
template <typename A, typename Term>
LONGHAUL_INLINE A sum_of(int64_t n, const Term& term) {
  A s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const int64_t quarter = n / 4;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (int64_t i = 0; i < quarter; ++i) {
    s0 += term(i);
    s1 += term(i + quarter);
    s2 += term(i + 2 * quarter);
    s3 += term(i + 3 * quarter);
  }
  for (int64_t i = 4 * quarter; i < n; ++i) s0 += term(i);
  return (s0 + s1) + (s2 + s3);
}

// Calls function(T{}) with the storage type that `type` names.
template <typename Function>
void with_element_type(ElementType type, Function&& function) {
  switch (type) {
    case ElementType::float32:
      return function(float{});
    case ElementType::bfloat16:
      return function(c10::BFloat16{});
    case ElementType::float64:
      return function(double{});
  }
}

// Rows per task of a parallel loop, so that a task is worth a thread's while.
inline int64_t rows_per_task(int64_t hidden) {
  return 1 + 16384 / (hidden + 1);
}

}  // namespace longhaul::ops::cpu
