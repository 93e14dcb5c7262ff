// What a recipe needs of memory on a rank, before anything is allocated.
#pragma once

#include "longhaul/recipes/recipe.h"

namespace longhaul {

// Bytes in tensors, at the worst moment of a step; all but `host` on the device.
struct MemoryEstimate {
  double weights = 0;        // the training copy
  double gradients = 0;      // FP32
  double optimizer = 0;      // FP32 masters (BF16 runs; an FP32 run trains on its masters) and two moments
  double activations = 0;    // kept from forward to backward, of all micro-batches under way
  double working = 0;        // beyond them: the output layer's chunk of logits, or what one layer's backward needs
  double communication = 0;  // tensors made to be exchanged
  double host = 0;           // in host memory: what optimizer.offload and recompute.offload move there
  double total() const { return weights + gradients + optimizer + activations + working + communication; }
};

// Of a rank on one pipeline stage. The recipe's model is resolved; `layout` and `recompute` stand for its own.
// `data_ranks` share what layout.sharding says; of what is sharded two units are there in full at times
// (docs/parallelism.md).
//
// Counted are our tensors, operator by operator, with attention that never holds the scores. The system, LibTorch, the
// GPU's context, the communication library's buffers and the allocator's slack come on top.
MemoryEstimate estimate_stage_memory(const Recipe& recipe, const ParallelConfig& layout,
                                     const RecomputeConfig& recompute, int64_t data_ranks, int64_t stage);

// Of the fullest stage's ranks.
MemoryEstimate estimate_memory(const Recipe& recipe, const ParallelConfig& layout, const RecomputeConfig& recompute,
                               int64_t data_ranks = 1);

}  // namespace longhaul
