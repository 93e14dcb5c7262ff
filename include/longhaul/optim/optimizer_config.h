// Settings of AdamW and of the learning rate over the steps.
#pragma once

#include <cstdint>

#include "longhaul/core/config/fields.h"

namespace longhaul {

struct OptimizerConfig {
  double lr = 3e-4;      // the peak
  double min_lr = 3e-5;  // where the decay ends
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;  // decoupled; matrices only, no biases and norms
  double clip_norm = 1.0;     // of the global L2 norm; 0: off
  bool offload = false;       // masters and moments in host memory
  bool operator==(const OptimizerConfig&) const = default;
};

enum class ScheduleKind { cosine, linear, wsd, constant };
enum class WsdDecay { linear, cosine, exponential, minus_sqrt };

// Linear warm-up from 0 to lr, then lr to min_lr by `kind`, then min_lr. All counts are optimiser steps.
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::cosine;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;      // the step, warm-up included, at which min_lr is reached; 0: trainer.max_steps
  int64_t wsd_decay_steps = 0;  // length of the final decay of `wsd`; 0: a tenth of decay_steps
  WsdDecay wsd_decay = WsdDecay::linear;
  bool operator==(const ScheduleConfig&) const = default;
};

template <>
std::span<const std::string_view> enum_names<ScheduleKind>();
template <>
std::span<const std::string_view> enum_names<WsdDecay>();
template <>
const FieldTable& fields<OptimizerConfig>();
template <>
const FieldTable& fields<ScheduleConfig>();

}  // namespace longhaul
