// Dropout of attention probabilities. Whether (query, key, head) is kept is a pure function of their global
// numbers, so every kernel, layout and recomputation draws the same mask.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "longhaul/core/random.h"
#include "longhaul/ops/dropout.h"

namespace longhaul::ops {

class AttentionDropout {
 public:
  // Streams of the heads first_head, first_head + 1, …; probability 0 keeps everything.
  AttentionDropout(double probability, const DropoutKey& key, int64_t first_head, int64_t heads)
      : probability_(static_cast<float>(probability)), key_(key) {
    if (!active()) return;
    streams_.reserve(heads);
    for (int64_t head = 0; head < heads; ++head) {
      streams_.emplace_back(key.seed, key.site + ".head" + std::to_string(first_head + head));
    }
  }

  bool active() const { return probability_ > 0; }

  // 0 or 1 / (1 - probability) for the keys [key, key + count) of `query`; token numbers within the tensor. The key's
  // place is in host memory.
  void multipliers(int64_t head, int64_t query, int64_t key, int64_t count, float* out) const {
    const float scale = 1.0F / (1.0F - probability_);
    const int64_t* const place = key_.place.const_data_ptr<int64_t>();
    const uint64_t step = static_cast<uint64_t>(place[0]);
    const uint64_t first_token = static_cast<uint64_t>(place[1]) + key_.first_token;
    const uint64_t row = (first_token + static_cast<uint64_t>(query)) << 32;
    std::array<uint32_t, 4> words{};
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t column = first_token + static_cast<uint64_t>(key + i);
      if (i == 0 || column % 4 == 0) words = streams_[head].words(row | (column / 4), step);
      out[i] = static_cast<float>(words[column % 4] >> 8) * 0x1p-24F < probability_ ? 0.0F : scale;
    }
  }

  // The multipliers of the queries from `query` on and the keys from `key` on: mask [heads, queries, keys] FP32,
  // contiguous, on any device.
  void fill(int64_t query, int64_t key, const at::Tensor& mask) const;

 private:
  float probability_;
  DropoutKey key_;
  std::vector<RandomStream> streams_;
};

}  // namespace longhaul::ops
