// Packing for the matrix product: copies rows of an operand into panels, in the order in which the inner loop
// reads them: panel[unit][lane], `kLanes` rows of the operand side by side, missing ones zero. See
// ops/tile_avx512.h for units. "Rows" are rows of a, or columns of b.
#pragma once

#include <algorithm>

#include "ops/tile_avx512.h"

LONGHAUL_AVX512_BEGIN

namespace longhaul::ops::avx512 {

inline __mmask16 mask16(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

// 16 units that lie side by side in memory; of them `elements` FP32 or BF16 numbers exist.
template <Units kUnits>
inline __m512i load_units(const void* source, int64_t elements) {
  if constexpr (kUnits == Units::fp32) {
    return _mm512_maskz_loadu_epi32(mask16(elements), source);
  } else {
    const __mmask32 mask = elements >= 32 ? ~__mmask32{0} : elements <= 0 ? 0 : (__mmask32{1} << elements) - 1;
    return _mm512_maskz_loadu_epi16(mask, source);
  }
}

// The rows lie along the contracted dimension: 16 × 16 units are transposed at a time. `source` is the
// panel's first row; `elements` of the contracted dimension from there on; kLanes is 32, or up to 16.
template <Units kUnits, int kLanes>
void pack_along(const char* source, int64_t row_bytes, int64_t rows, int64_t elements, Unit* panel) {
  constexpr int kPerUnit = kUnits == Units::fp32 ? 1 : 2;
  const int64_t units = (elements + kPerUnit - 1) / kPerUnit;
  for (int64_t p = 0; p < units; p += 16) {
    for (int lane = 0; lane < kLanes; lane += 16) {
      __m512i block[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        block[i] = lane + i < rows
                       ? load_units<kUnits>(source + (lane + i) * row_bytes + p * 4, elements - p * kPerUnit)
                       : _mm512_setzero_si512();
      }
      transpose_16x16(block);
      // A panel of 14 lanes: each store's last two lanes are overwritten by the next.
      const int64_t count = units - p < 16 ? units - p : 16;
      for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(panel + (p + i) * kLanes + lane, block[i]);
    }
  }
}

// 16 units of neighbouring rows; the second numbers of BF16 pairs lie `next` bytes further, or are 0 for -1.
template <Units kUnits>
inline __m512i gather_units(const char* from, int64_t next, __mmask16 mask) {
  if constexpr (kUnits == Units::fp32) {
    return _mm512_maskz_loadu_epi32(mask, from);
  } else {
    const __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
    if (next < 0) return even;
    const __m512i odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from + next));
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
  }
}

// The rows lie side by side: lanes are copied, and for BF16 two steps of the contracted dimension are
// interleaved. Fills neighbouring panels, `panel_units` apart, in one pass over the source's lines.
template <Units kUnits, int kLanes>
void pack_across(const char* source, int64_t step_bytes, int64_t rows, int64_t elements, Unit* panel,
                 int64_t panel_units) {
  constexpr int kPerUnit = kUnits == Units::fp32 ? 1 : 2;
  constexpr int kBytes = 4 / kPerUnit;
  const __mmask16 lanes = mask16(kLanes);
  for (int64_t p = 0; p < elements; p += kPerUnit) {
    const char* step = source + p * step_bytes;
    const int64_t next = p + 1 < elements ? step_bytes : -1;
    Unit* out = panel + p / kPerUnit * kLanes;
    int64_t first = 0;
    for (; first + (kLanes + 15) / 16 * 16 <= rows; first += kLanes, out += panel_units) {
      for (int lane = 0; lane < kLanes; lane += 16) {
        const __m512i units = gather_units<kUnits>(step + (first + lane) * kBytes, next, 0xffff);
        _mm512_mask_storeu_epi32(out + lane, lanes, units);
      }
    }
    for (; first < rows; first += kLanes, out += panel_units) {
      for (int lane = 0; lane < kLanes; lane += 16) {
        const __mmask16 mask = mask16(std::min<int64_t>(rows - first, kLanes) - lane);
        const __m512i units = gather_units<kUnits>(step + (first + lane) * kBytes, next, mask);
        _mm512_mask_storeu_epi32(out + lane, lanes, units);
      }
    }
  }
}

}  // namespace longhaul::ops::avx512

LONGHAUL_AVX512_END
