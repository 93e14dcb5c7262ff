#pragma once

#include <cstdint>

#include "longhaul/optim/optimizer_config.h"

namespace longhaul {

// The learning rate of optimiser step `step`, counted from 1. Warm-up is linear and reaches `lr` at step
// `warmup_steps`; then the schedule runs to `decay_steps` (0: `max_steps`), and `min_lr` holds after it. A run that
// starts from a checkpoint's weights begins at step 1, and so is warmed up again (Ibrahim et al., "Simple and scalable
// strategies to continually pre-train large language models", 2024).
//
// Megatron-LM's formula, except that its first step has a rate of 0 and ours has lr / warmup_steps.
double learning_rate(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, int64_t max_steps, int64_t step);

}  // namespace longhaul
