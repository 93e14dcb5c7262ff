#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "longhaul/model/transformer.h"

namespace longhaul {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  double temperature = 0;  // 0: greedy
  double top_p = 1;        // sample from the smallest set of tokens whose probability reaches this
  int64_t top_k = 0;       // and from at most so many tokens; 0: all
  uint64_t seed = 1;
  std::vector<int32_t> stop_ids;  // generation ends before one of these is emitted
};

// Continues `prompt` (at least one token) token by token, with cached keys and values, and calls `on_token` for each
// new one. Returns the new tokens. Stops at the model's last position, too.
std::vector<int32_t> generate(Transformer& model, const std::vector<int32_t>& prompt, const GenerateOptions& options,
                              const std::function<void(int32_t)>& on_token = {});

}  // namespace longhaul
