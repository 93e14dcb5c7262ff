#pragma once

#include <cstdint>
#include <optional>

namespace longhaul {

// What one optimiser step measured: one line of metrics.jsonl.
struct StepMetrics {
  int64_t step = 0;             // counts from 1
  int64_t consumed_tokens = 0;  // of all steps of the run so far
  double loss = 0;              // mean cross-entropy over the step's valid tokens, nats
  double grad_norm = 0;         // before clipping
  double learning_rate = 0;
  double step_seconds = 0;
  double data_wait_seconds = 0;  // of step_seconds: waiting for the loader
  double communication_seconds =
      0;                    // of step_seconds: this rank's, busy with or waiting for others (CPUs; 0 with NCCL)
  double save_seconds = 0;  // that saving a checkpoint held the run up since the step before; not in step_seconds
  double tokens_per_second = 0;
  double model_flops_per_second = 0;  // causal attention counted by half, no recomputation
  int64_t memory_bytes = 0;           // peak: resident memory on a CPU, allocated memory on a GPU
  std::optional<double> valid_loss;   // where evaluated after this step
  std::optional<double> test_loss;    // after the last step, with data.test
};

}  // namespace longhaul
