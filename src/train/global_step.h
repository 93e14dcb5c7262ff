// The computation of one optimiser step on one rank: this rank's share of a global batch, forward and backward, through
// its pipeline stages.
#pragma once

#include <vector>

#include "longhaul/data/batch.h"
#include "longhaul/model/transformer.h"
#include "longhaul/recipes/recipe.h"
#include "train/parallel_layout.h"

namespace longhaul {

// Accumulates the gradients of the mean loss over the valid tokens of the whole global batch, all data-parallel ranks'
// together, and returns that loss, on every rank: [1] FP64 on the device, which the call does not wait for. `batches`:
// this rank's micro-batches, in order. A collective call.
at::Tensor run_global_step(Transformer& model, const ParallelLayout& layout, const Recipe& recipe, int64_t step,
                           const std::vector<Batch>& batches);

}  // namespace longhaul
