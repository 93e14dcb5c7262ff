// Rotary position embedding (Su et al., "RoFormer", 2021), rotate-half form: channel c turns with channel
// c + rotary_dim / 2 by the angle position · frequency[c]. The frequencies, angles, cosines and sines are
// computed in FP32, operation by operation as Hugging Face transformers does, so that imported models see the
// same numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace longhaul::ops {

// Rotary tables for positions 0 … rows-1: FP32 [rows, rotary_dim / 2] each.
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
  bool defined() const { return cos.defined(); }
};

// Stretches the frequencies so that a longer context fits (Hugging Face `rope_scaling`).
struct RopeFrequencyScaling {
  enum class Kind {
    none,
    linear,  // every frequency divided by factor
    llama3,  // low frequencies divided by factor, high ones kept, those between blended (Llama 3.1)
  };
  Kind kind = Kind::none;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  double original_max_positions = 8192;
};

// theta^(-2c / rotary_dim), c = 0 … rotary_dim/2 - 1, scaled; FP32 numbers.
std::vector<float> rope_inverse_frequencies(int64_t rotary_dim, double theta, const RopeFrequencyScaling& scaling = {});

// Tables for `positions` positions on `device`.
RopeTable make_rope_table(const std::vector<float>& inverse_frequencies, int64_t positions,
                          at::Device device = at::kCPU);

}  // namespace longhaul::ops
