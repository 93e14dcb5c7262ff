// What AttentionDropout::multipliers gives, for a block of queries and keys of several heads.
#pragma once

#include <cstdint>

#include "longhaul/core/philox.h"

namespace longhaul::ops {

constexpr int kDropoutHeads = 64;  // of one call; their keys travel with it

struct AttentionDropoutArguments {
  int64_t heads = 0, queries = 0, keys = 0;
  PhiloxKey streams[kDropoutHeads] = {};    // of the heads
  const int64_t* place = nullptr;           // [2] the step, and the token from which the next two count
  uint64_t first_query = 0, first_key = 0;  // token numbers
  uint32_t threshold = 0;                   // a key is kept where the draw's upper 24 bits reach it
  float scale = 1;                          // of what is kept
  float* multipliers = nullptr;             // [heads, queries, keys]
};

namespace cpu {
void attention_dropout(const AttentionDropoutArguments& arguments);
}

namespace cuda {
void attention_dropout(const AttentionDropoutArguments& arguments, void* stream);
}

}  // namespace longhaul::ops
