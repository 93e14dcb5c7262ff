// The innermost loop of every matrix product on AVX-512: a tile of `kRows` × 32 sums held in registers.
// Include it only between LONGHAUL_AVX512_BEGIN and LONGHAUL_AVX512_END, in files that are entered after a
// run-time check.
//
// A "unit" is 32 bits along the contracted dimension: one FP32 number, or a pair of BF16 numbers that
// vdpbf16ps multiplies and adds in FP32. So one loop serves both, and everything that moves units doesn't
// care which they are.
#pragma once

#include <immintrin.h>

#include <cstdint>

// GCC 12 takes the undefined pass-through operands within its own intrinsics for mistakes of ours.
#define LONGHAUL_AVX512_BEGIN                                                                              \
  _Pragma("GCC push_options") _Pragma("GCC target(\"arch=x86-64-v4,avx512bf16,prefer-vector-width=512\")") \
      _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define LONGHAUL_AVX512_END _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")

LONGHAUL_AVX512_BEGIN

namespace longhaul::ops::avx512 {

using Unit = uint32_t;
constexpr int kTileColumns = 32;

enum class Units { fp32, bf16_pairs };

template <Units kUnits>
inline __m512 multiply_add(__m512 sum, __m512 a, __m512 b) {
  if constexpr (kUnits == Units::fp32) {
    return _mm512_fmadd_ps(a, b, sum);
  } else {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
}

// sums[i][·] += Σ_p a[i · row_stride + p · unit_stride] · b[p · b_stride + ·], p < units.
template <int kRows, Units kUnits>
inline __attribute__((always_inline)) void multiply_tile(int64_t units, const Unit* a, int64_t row_stride,
                                                         int64_t unit_stride, const Unit* b, int64_t b_stride,
                                                         __m512 (&sums)[kRows][2]) {
  for (int64_t p = 0; p < units; ++p) {
    const __m512 b0 = _mm512_loadu_ps(b);
    const __m512 b1 = _mm512_loadu_ps(b + 16);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const __m512 x = _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(a[i * row_stride])));
      sums[i][0] = multiply_add<kUnits>(sums[i][0], x, b0);
      sums[i][1] = multiply_add<kUnits>(sums[i][1], x, b1);
    }
    a += unit_stride;
    b += b_stride;
  }
}

template <int kRows>
inline __attribute__((always_inline)) void clear_tile(__m512 (&sums)[kRows][2]) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
}

// Rows become columns: out[j] lane i = in[i] lane j.
inline __attribute__((always_inline)) void transpose_16x16(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// The vocabulary of the attention kernel, which exists for AVX2 too (ops/tile_avx2.h).
using Vec = __m512;
using IntVec = int32_t __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr int kTileRows = 8;
constexpr float kLeastPower = -150;  // 2^kLeastPower is 0

inline Vec load(const float* from) {
  return _mm512_loadu_ps(from);
}
inline void store(float* to, Vec x) {
  _mm512_storeu_ps(to, x);
}
inline Vec broadcast(float x) {
  return _mm512_set1_ps(x);
}
inline Vec maximum(Vec a, Vec b) {
  return _mm512_max_ps(a, b);
}
inline float sum_lanes(Vec x) {
  return _mm512_reduce_add_ps(x);
}
inline Vec nearest(Vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Vec scale_by_power(Vec x, Vec power) {
  return _mm512_scalef_ps(x, power);
}
inline Vec fused(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline IntVec load_int(const Unit* from) {
  return (IntVec)_mm512_loadu_si512(from);
}
inline void store_int(Unit* to, IntVec x) {
  _mm512_storeu_si512(to, (__m512i)x);
}
inline Vec load_bf16(const uint16_t* from) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline void store_short(uint16_t* to, IntVec x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16((__m512i)x));
}

inline __attribute__((always_inline)) void transpose_block(IntVec (&rows)[kLanes]) {
  __m512i r[16];
  for (int i = 0; i < 16; ++i) r[i] = (__m512i)rows[i];
  transpose_16x16(r);
  for (int i = 0; i < 16; ++i) rows[i] = (IntVec)r[i];
}

// BF16 pairs, on machines that multiply them: (low, high) of each lane; and 32 numbers side by side.
inline IntVec bf16_pairs(Vec low, Vec high) {
  const __m512i lower = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
  const __m512i upper = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
  return (IntVec)_mm512_or_si512(lower, _mm512_slli_epi32(upper, 16));
}
inline IntVec bf16_row(Vec first, Vec second) {
  return (IntVec)_mm512_cvtne2ps_pbh(second, first);
}

}  // namespace longhaul::ops::avx512

LONGHAUL_AVX512_END
