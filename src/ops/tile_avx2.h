// The vocabulary of ops/tile_avx512.h for machines with AVX2 and FMA. Tiles are smaller, since there are 16
// registers of 8 lanes; units are FP32 alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define LONGHAUL_AVX2_BEGIN _Pragma("GCC push_options") _Pragma("GCC target(\"arch=x86-64-v3\")")
#define LONGHAUL_AVX2_END _Pragma("GCC pop_options")

LONGHAUL_AVX2_BEGIN

namespace longhaul::ops::avx2 {

using Unit = uint32_t;
using Vec = __m256;
using IntVec = int32_t __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr int kTileColumns = 16;
constexpr int kTileRows = 4;
constexpr float kLeastPower = -127;  // 2^kLeastPower counts as 0

enum class Units { fp32, bf16_pairs };

// sums[i][·] += Σ_p a[i · row_stride + p · unit_stride] · b[p · b_stride + ·], p < units.
template <int kRows, Units kUnits>
inline __attribute__((always_inline)) void multiply_tile(int64_t units, const Unit* a, int64_t row_stride,
                                                         int64_t unit_stride, const Unit* b, int64_t b_stride,
                                                         Vec (&sums)[kRows][2]) {
  static_assert(kUnits == Units::fp32);
  for (int64_t p = 0; p < units; ++p) {
    const Vec b0 = _mm256_loadu_ps(reinterpret_cast<const float*>(b));
    const Vec b1 = _mm256_loadu_ps(reinterpret_cast<const float*>(b) + 8);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Vec x = _mm256_broadcast_ss(reinterpret_cast<const float*>(a) + i * row_stride);
      sums[i][0] = _mm256_fmadd_ps(x, b0, sums[i][0]);
      sums[i][1] = _mm256_fmadd_ps(x, b1, sums[i][1]);
    }
    a += unit_stride;
    b += b_stride;
  }
}

template <int kRows>
inline __attribute__((always_inline)) void clear_tile(Vec (&sums)[kRows][2]) {
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) sums[i][0] = sums[i][1] = _mm256_setzero_ps();
}

inline Vec load(const float* from) {
  return _mm256_loadu_ps(from);
}
inline void store(float* to, Vec x) {
  _mm256_storeu_ps(to, x);
}
inline Vec broadcast(float x) {
  return _mm256_set1_ps(x);
}
inline Vec maximum(Vec a, Vec b) {
  return _mm256_max_ps(a, b);
}
inline float sum_lanes(Vec x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline Vec nearest(Vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// x · 2^power for whole powers in [-127, 127]; 0 for -127.
inline Vec scale_by_power(Vec x, Vec power) {
  const __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(127));
  return x * _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
}
inline Vec fused(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline IntVec load_int(const Unit* from) {
  return (IntVec)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void store_int(Unit* to, IntVec x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)x);
}
inline Vec load_bf16(const uint16_t* from) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline void store_short(uint16_t* to, IntVec x) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)x, (__m256i)x), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}

// Of the BF16 path, which AVX2 doesn't have: named in branches that are never compiled, and so never defined.
IntVec bf16_pairs(Vec low, Vec high);
IntVec bf16_row(Vec first, Vec second);

// Rows become columns.
inline __attribute__((always_inline)) void transpose_block(IntVec (&r)[kLanes]) {
  Vec t[8], u[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps((Vec)r[2 * i], (Vec)r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps((Vec)r[2 * i], (Vec)r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = (IntVec)_mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4] = (IntVec)_mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

}  // namespace longhaul::ops::avx2

LONGHAUL_AVX2_END
