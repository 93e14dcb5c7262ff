#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace longhaul::ops {

// Names one dropout mask. The mask of an element depends on these and on the element's global position alone,
// so every parallel layout draws the same.
struct DropoutKey {
  uint64_t seed = 0;
  std::string site;          // e.g. "layers.3.attention"
  uint64_t step = 0;         // of the optimiser
  uint64_t first_token = 0;  // global number, within the step, of the tensor's first token
};

// x [tokens, hidden]; zeroes with `probability` in [0, 1) and scales the rest by 1 / (1 - probability). 0
// returns x. An element is kept where RandomStream(seed, site).uniform(token · hidden + column, step) >=
// probability, `token` being its global number. Nothing is saved for backward, which draws the same numbers
// again.
at::Tensor dropout(const at::Tensor& x, double probability, const DropoutKey& key);

}  // namespace longhaul::ops
