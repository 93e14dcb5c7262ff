#include "longhaul/optim/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longhaul {
namespace {

// How much of the decay is still to come when `progress` of it, 0 … 1, has passed: 1 at the start, 0 at the end.
double remaining(const ScheduleConfig& schedule, double progress) {
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
  if (schedule.kind == ScheduleKind::cosine) return cosine;
  if (schedule.kind == ScheduleKind::linear) return 1 - progress;
  switch (schedule.wsd_decay) {
    case WsdDecay::linear:
      return 1 - progress;
    case WsdDecay::cosine:
      return cosine;
    case WsdDecay::exponential:
      return 2 * std::pow(0.5, progress) - 1;
    case WsdDecay::minus_sqrt:
      return 1 - std::sqrt(progress);
  }
  return 0;
}

}  // namespace

double learning_rate(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, int64_t max_steps,
                     int64_t step) {
  const double high = optimizer.lr, low = optimizer.min_lr;
  const int64_t warmup = schedule.warmup_steps;
  if (step < warmup) return high * static_cast<double>(step) / static_cast<double>(warmup);
  if (schedule.kind == ScheduleKind::constant) return high;
  const int64_t end = schedule.decay_steps > 0 ? schedule.decay_steps : max_steps;
  if (step >= end) return low;
  int64_t begin = warmup;
  if (schedule.kind == ScheduleKind::wsd) {
    const int64_t length = schedule.wsd_decay_steps > 0 ? schedule.wsd_decay_steps : std::max<int64_t>(end / 10, 1);
    begin = std::max(warmup, end - length);
  }
  if (step <= begin) return high;
  const double progress = static_cast<double>(step - begin) / static_cast<double>(end - begin);
  return low + (high - low) * remaining(schedule, progress);
}

}  // namespace longhaul
