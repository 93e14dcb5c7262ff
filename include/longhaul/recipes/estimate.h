// What a recipe needs on a rank, before anything is allocated.
#pragma once

#include "longhaul/recipes/recipe.h"

namespace longhaul {

// Bytes on the fullest rank.
struct MemoryEstimate {
  double weights = 0;      // the training copy
  double gradients = 0;    // FP32
  double optimizer = 0;    // FP32 masters (BF16 runs; an FP32 run trains on its masters) and two moments
  double activations = 0;  // kept from forward to backward, at the peak
  double total() const { return weights + gradients + optimizer + activations; }
};

// For a recipe whose model is resolved, under `layout` and `recompute` instead of its own, where `data_ranks` share what
// layout.sharding says; of what is sharded two units are there in full at times (docs/parallelism.md). Activations are those of our fused operators with attention that never holds the scores;
// temporary buffers, the communication library and the allocator's slack come on top, as a rule 5 to 10 %.
MemoryEstimate estimate_memory(const Recipe& recipe, const ParallelConfig& layout,
                               const RecomputeConfig& recompute, int64_t data_ranks = 1);

}  // namespace longhaul
