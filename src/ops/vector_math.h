// Elementary functions that a compiler can vectorise: no branches, no tables, no library calls. Use them in
// `#pragma omp simd` loops of kernels marked LONGHAUL_CLONES (ops/cpu_clones.h). Errors are bounds over the
// whole range in FP32, in units in the last place, with fused multiply-add. NaN in, NaN out.
//
// The double overloads exist for gradient checks and are the standard library's.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "ops/cpu_clones.h"

namespace longhaul::ops::simd {

// e^x, 1 ulp; 0 below -104, infinity above 88.73, subnormal results included.
// e^x = 2^n · e^r with n = round(x / ln 2) and |r| <= ln 2 / 2, ln 2 in two parts so that r is exact.
LONGHAUL_INLINE float exp(float x) {
  x = -104.0F > x ? -104.0F : x;
  x = 89.0F < x ? 89.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 · 2^23: adding it leaves round(x / ln 2) in the low bits
  const float shifted = x * std::numbers::log2e_v<float> + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.3814412523e-3F;
  p = p * r + 8.3687854931e-3F;
  p = p * r + 4.1668396443e-2F;
  p = p * r + 0.16666519642F;
  p = p * r + 0.49999994040F;
  p = (p * r) * r + r + 1.0F;
  // 2^n in two factors, for n outside the range of one exponent.
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const int32_t half = exponent >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((exponent - half + 127) << 23);
}
inline double exp(double x) {
  return std::exp(x);
}

// 2 ulp. A polynomial near 0, 1 - 2 / (e^2|x| + 1) elsewhere.
LONGHAUL_INLINE float tanh(float x) {
  const float a = std::fabs(x), z = x * x;
  float p = -5.7169944048e-3F;
  p = p * z + 2.0650519058e-2F;
  p = p * z - 5.3743466735e-2F;
  p = p * z + 0.13331490755F;
  p = p * z - 0.33333283663F;
  const float small = (p * z) * x + x;
  const float large = std::copysign(1.0F - 2.0F / (exp(2.0F * a) + 1.0F), x);
  return a < 0.625F ? small : large;
}
inline double tanh(double x) {
  return std::tanh(x);
}

// The normal distribution at x: its density φ and its integral Φ = (1 + erf(x / √2)) / 2. The left tail keeps
// its relative accuracy (8 ulp down to x = -2, 16 to -5), where 1 + erf cancels.
template <typename T>
struct Normal {
  T density;
  T integral;
};

// Φ(-a) = e^(-a²/2) · erfcx(a / √2) / 2 for a >= 0; erfcx(z) = t · P(t), t = 1 / (1 + 0.6 z).
LONGHAUL_INLINE Normal<float> normal(float x) {
  const float a = std::fabs(x);
  const float gauss = exp(-0.5F * x * x);
  const float t = 1.0F / (1.0F + 0.6F * std::numbers::sqrt2_v<float> * 0.5F * a);
  float p = 0.065939731896F;
  p = p * t - 0.31923243403F;
  p = p * t + 0.56531596184F;
  p = p * t - 0.33959296346F;
  p = p * t - 0.12223568559F;
  p = p * t + 0.056704178452F;
  p = p * t + 0.13469965756F;
  p = p * t + 0.28178033233F;
  p = p * t + 0.33809033036F;
  p = p * t + 0.33853092790F;
  const float tail = 0.5F * gauss * (t * p);
  return {gauss * 0.39894228040F, x < 0 ? tail : 1.0F - tail};
}
inline Normal<double> normal(double x) {
  return {std::exp(-0.5 * x * x) * 0.39894228040143267794, 0.5 * std::erfc(-x * std::numbers::sqrt2 * 0.5)};
}

}  // namespace longhaul::ops::simd
