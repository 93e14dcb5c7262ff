// A run of consecutive layers that one pipeline rank holds, with the embedding before it or the final norm and the
// output layer behind it at the model's ends. A rank may hold several (virtual stages).
#pragma once

#include <cstdint>
#include <vector>

namespace longhaul {

struct Stage {
  int64_t first_layer = 0;
  int64_t layers = 0;
  bool embedding = true;
  bool output = true;
};

}  // namespace longhaul
