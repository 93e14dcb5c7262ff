#include "ops/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace longhaul::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The error of `value` in units in the last place of the FP32 number nearest to `truth`.
double ulps(float value, double truth) {
  const float nearest = static_cast<float>(truth);
  if (value == nearest) return 0;
  const double unit = std::fabs(std::nextafter(nearest, kInfinity) - static_cast<double>(nearest));
  return std::fabs(value - truth) / unit;
}

template <typename Function, typename Truth>
double worst_ulps(float begin, float end, Function function, Truth truth) {
  double worst = 0;
  constexpr int kPoints = 400000;
  for (int i = 0; i <= kPoints; ++i) {
    const float x = begin + (end - begin) * (static_cast<float>(i) / kPoints);
    worst = std::max(worst, ulps(function(x), truth(static_cast<double>(x))));
  }
  return worst;
}

TEST(VectorMath, ExpIsAccurateOverItsRange) {
  const auto exp = [](float x) { return simd::exp(x); };
  const auto truth = [](double x) { return std::exp(x); };
  EXPECT_LE(worst_ulps(-104, 88.7F, exp, truth), 1.1);
  EXPECT_LE(worst_ulps(-1, 1, exp, truth), 1.0);
  EXPECT_EQ(simd::exp(0.0F), 1.0F);
  EXPECT_EQ(simd::exp(-kInfinity), 0.0F);
  EXPECT_EQ(simd::exp(-200.0F), 0.0F);
  EXPECT_EQ(simd::exp(88.8F), kInfinity);
  EXPECT_EQ(simd::exp(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(simd::exp(std::nanf(""))));
}

TEST(VectorMath, TanhOverItsRange) {
  const auto tanh = [](float x) { return simd::tanh(x); };
  EXPECT_LE(worst_ulps(-12, 12, tanh, [](double x) { return std::tanh(x); }), 2.0);
  EXPECT_LE(worst_ulps(-1e-3F, 1e-3F, tanh, [](double x) { return std::tanh(x); }), 1.0);
  EXPECT_EQ(simd::tanh(kInfinity), 1.0F);
  EXPECT_EQ(simd::tanh(-kInfinity), -1.0F);
  EXPECT_TRUE(std::isnan(simd::tanh(std::nanf(""))));
}

TEST(VectorMath, NormalKeepsRelativeAccuracyInTheTail) {
  const auto integral = [](float x) { return simd::normal(x).integral; };
  const auto truth = [](double x) { return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2); };
  EXPECT_LE(worst_ulps(-2, 6, integral, truth), 8.0);
  EXPECT_LE(worst_ulps(-5, -2, integral, truth), 16.0);  // ½x² in the exponent rounds
  EXPECT_NEAR(simd::normal(1.5F).density, std::exp(-1.125) / std::sqrt(2 * std::numbers::pi), 1e-8);
  EXPECT_EQ(simd::normal(-kInfinity).integral, 0.0F);
  EXPECT_EQ(simd::normal(kInfinity).integral, 1.0F);
}

}  // namespace
}  // namespace longhaul::ops
