// How many sequences a step takes while the batch grows at the beginning of a run, as Megatron-LM's --rampup-batch-size:
// in equal increments, over a number of samples. The samples consumed so far decide, so a resumed run goes on alike.
#pragma once

#include <cstdint>

#include "longhaul/recipes/run_config.h"

namespace longhaul {

// The global batch of the step that begins after `consumed` samples, in sequences.
int64_t global_batch_at(const BatchConfig& batch, int64_t consumed);

// What divides every global batch of a run: batch.global, without a ramp-up.
int64_t common_batch(const BatchConfig& batch);

// The samples of the `steps` steps that begin after `consumed` samples.
int64_t samples_of_steps(const BatchConfig& batch, int64_t consumed, int64_t steps);

// How many steps from the start of a run `samples` are enough for.
int64_t steps_of_samples(const BatchConfig& batch, int64_t samples);

}  // namespace longhaul
