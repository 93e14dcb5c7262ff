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
  at::Tensor place;          // dropout_place of the micro-batch, on the device of what is dropped
  uint64_t first_token = 0;  // number, within the micro-batch, of the tensor's first token
};

// Where a micro-batch stands in a run: int64 [2] on `device`, the optimiser's step and the global number, within the
// step, of the micro-batch's first token. Kernels read it in memory when they run, forward and backward, so a recorded
// kernel draws the masks of what stands there by then. The copy to a GPU is queued; nothing waits.
at::Tensor dropout_place(int64_t step, int64_t first_token, c10::Device device = c10::kCPU);

// x [tokens, hidden]; zeroes with `probability` in [0, 1) and scales the rest by 1 / (1 - probability). 0
// returns x. An element is kept where RandomStream(seed, site).uniform(token · hidden + column, step) >=
// probability, `token` being its global number. Nothing but the place is saved for backward, which draws the same
// numbers again.
at::Tensor dropout(const at::Tensor& x, double probability, const DropoutKey& key);

}  // namespace longhaul::ops
