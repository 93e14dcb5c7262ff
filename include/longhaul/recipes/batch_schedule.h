// How many sequences a step takes where the batch grows during a run: in equal increments over a number of samples, as
// with Megatron-LM's --rampup-batch-size, or at given numbers of tokens, as with its --step-batch-size-schedule. The
// samples consumed so far decide, so a resumed run goes on alike.
#pragma once

#include <cstdint>
#include <vector>

#include "longhaul/recipes/run_config.h"

namespace longhaul {

class BatchSchedule {
 public:
  // UserError where the section's keys don't go together or batch.schedule can't be read. `sequence_length`: tokens of
  // a sample, which turns the tokens of batch.schedule into samples (rounded down).
  BatchSchedule(const BatchConfig& batch, int64_t sequence_length);

  struct Stage {
    int64_t first_sample;  // the batch is taken by steps that begin at this sample or later
    int64_t batch;         // in sequences
    bool operator==(const Stage&) const = default;
  };
  // One without growth; the first begins at sample 0, the last one's batch is batch.global.
  const std::vector<Stage>& stages() const { return stages_; }

  // The global batch of the step that begins after `consumed` samples, in sequences.
  int64_t global_at(int64_t consumed) const;

  // What divides every global batch of a run: batch.global, without growth.
  int64_t common() const;

  // The samples of the `steps` steps that begin after `consumed` samples.
  int64_t samples_of_steps(int64_t consumed, int64_t steps) const;

  // How many steps from the start of a run `samples` are enough for.
  int64_t steps_of_samples(int64_t samples) const;

 private:
  size_t stage_at(int64_t consumed) const;
  std::vector<Stage> stages_;
};

// The largest micro-batch of at most `most` sequences (a million) that divides so many.
int64_t largest_micro_batch(int64_t most, int64_t sequences);

}  // namespace longhaul
