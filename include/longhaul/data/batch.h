// One micro-batch as the data layer hands it over: plain vectors, no tensor library.
#pragma once

#include <cstdint>
#include <vector>

namespace longhaul {

struct Batch {
  int64_t sequences = 0;
  int64_t sequence_length = 0;
  std::vector<int64_t> tokens;      // [sequences · sequence_length], sequence by sequence
  std::vector<int64_t> labels;      // the same shape; 0 where loss_mask is 0 because of padding
  std::vector<float> loss_mask;     // the same shape
  std::vector<int64_t> positions;   // the same shape; empty: 0 … sequence_length-1 in each sequence
  std::vector<int32_t> cu_seqlens;  // borders of attention over the flat tokens: 0, …, sequences · sequence_length
  int64_t token_count() const { return sequences * sequence_length; }
};

}  // namespace longhaul
