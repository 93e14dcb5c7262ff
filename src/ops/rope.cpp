#include "longhaul/ops/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sin.h>

#include <numbers>

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

float llama3_frequency(float frequency, const RopeFrequencyScaling& scaling) {
  const float low_wavelength = static_cast<float>(scaling.original_max_positions / scaling.low_freq_factor);
  const float high_wavelength = static_cast<float>(scaling.original_max_positions / scaling.high_freq_factor);
  const float factor = static_cast<float>(scaling.factor);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
  if (wavelength < high_wavelength) return frequency;
  if (wavelength > low_wavelength) return frequency / factor;
  const float smooth =
      (static_cast<float>(scaling.original_max_positions) / wavelength - static_cast<float>(scaling.low_freq_factor)) /
      static_cast<float>(scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_inverse_frequencies(int64_t rotary_dim, double theta, const RopeFrequencyScaling& scaling) {
  LONGHAUL_CHECK(rotary_dim > 0 && rotary_dim % 2 == 0, "rotary_dim {} is not a positive even number", rotary_dim);
  const at::Tensor exponent = at::arange(0, rotary_dim, 2, at::kFloat) / static_cast<double>(rotary_dim);
  const at::Tensor plain = at::reciprocal(at::pow(at::Scalar(theta), exponent));
  const float* values = plain.const_data_ptr<float>();
  std::vector<float> frequencies(values, values + plain.numel());
  for (float& frequency : frequencies) {
    if (scaling.kind == RopeFrequencyScaling::Kind::linear) frequency /= static_cast<float>(scaling.factor);
    if (scaling.kind == RopeFrequencyScaling::Kind::llama3) frequency = llama3_frequency(frequency, scaling);
  }
  return frequencies;
}

RopeTable make_rope_table(const std::vector<float>& inverse_frequencies, int64_t positions, at::Device device) {
  const auto half = static_cast<int64_t>(inverse_frequencies.size());
  const at::Tensor frequencies = at::from_blob(const_cast<float*>(inverse_frequencies.data()), {1, half}, at::kFloat);
  const at::Tensor angles = at::mul(at::arange(positions, at::kFloat).unsqueeze(1), frequencies);
  return {at::cos(angles).to(device), at::sin(angles).to(device)};
}

}  // namespace longhaul::ops
