#pragma once

#include <cstdint>

namespace longhaul {

// How far a run has come. Random streams and the data's order are functions of these and of the recipe's seeds, so
// nothing else is needed to go on as if nothing had happened.
struct RunProgress {
  int64_t step = 0;
  int64_t consumed_samples = 0;
  int64_t consumed_tokens = 0;
};

}  // namespace longhaul
