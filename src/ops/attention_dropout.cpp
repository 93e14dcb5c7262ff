#include "ops/attention_dropout.h"

#include <algorithm>
#include <cmath>

#include "ops/attention_dropout_kernels.h"
#include "ops/dispatch.h"
#include "ops/dropout_place.h"

namespace longhaul::ops {

void cpu::attention_dropout(const AttentionDropoutArguments& a) {
  const uint64_t step = static_cast<uint64_t>(a.place[0]), first_token = static_cast<uint64_t>(a.place[1]);
  for (int64_t row = 0; row < a.heads * a.queries; ++row) {
    const uint64_t query = first_token + a.first_query + static_cast<uint64_t>(row % a.queries);
    for (int64_t i = 0; i < a.keys; ++i) {
      const uint64_t key = first_token + a.first_key + static_cast<uint64_t>(i), index = (query << 32) | (key / 4);
      const PhiloxBlock drawn = philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                                        static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)},
                                       a.streams[row / a.queries]);
      const uint32_t words[4] = {drawn.word0, drawn.word1, drawn.word2, drawn.word3};
      a.multipliers[row * a.keys + i] = (words[key % 4] >> 8) >= a.threshold ? a.scale : 0.0F;
    }
  }
}

void AttentionDropout::fill(int64_t query, int64_t key, const at::Tensor& mask) const {
  AttentionDropoutArguments a;
  a.queries = mask.size(1);
  a.keys = mask.size(2);
  a.place = place_for(key_, mask);
  a.first_query = key_.first_token + static_cast<uint64_t>(query);
  a.first_key = key_.first_token + static_cast<uint64_t>(key);
  a.threshold = static_cast<uint32_t>(std::ceil(probability_ * 0x1p24F));
  a.scale = 1.0F / (1.0F - probability_);
  for (int64_t head = 0; head < mask.size(0); head += kDropoutHeads) {
    a.heads = std::min<int64_t>(mask.size(0) - head, kDropoutHeads);
    for (int64_t i = 0; i < a.heads; ++i) a.streams[i] = streams_[head + i].key();
    a.multipliers = mask.mutable_data_ptr<float>() + head * a.queries * a.keys;
    launch(mask, cpu::attention_dropout, LONGHAUL_CUDA_KERNEL(cuda::attention_dropout), a);
  }
}

}  // namespace longhaul::ops
