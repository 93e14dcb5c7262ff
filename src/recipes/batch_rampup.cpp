#include "longhaul/recipes/batch_rampup.h"

#include <numeric>

namespace longhaul {
namespace {

bool ramps(const BatchConfig& batch, int64_t consumed) {
  return batch.rampup_start > 0 && consumed <= batch.rampup_samples;
}

}  // namespace

int64_t global_batch_at(const BatchConfig& batch, int64_t consumed) {
  if (!ramps(batch, consumed)) return batch.global;
  const int64_t increments = (batch.global - batch.rampup_start) / batch.rampup_increment;
  // Megatron-LM divides in floating point: so do we, for the same steps.
  const double samples_an_increment = static_cast<double>(batch.rampup_samples) / static_cast<double>(increments);
  const auto taken = static_cast<int64_t>(static_cast<double>(consumed) / samples_an_increment);
  return batch.rampup_start + taken * batch.rampup_increment;
}

int64_t common_batch(const BatchConfig& batch) {
  if (batch.rampup_start == 0) return batch.global;
  return std::gcd(batch.rampup_start, batch.rampup_increment);
}

int64_t samples_of_steps(const BatchConfig& batch, int64_t consumed, int64_t steps) {
  const int64_t before = consumed;
  for (; steps > 0 && ramps(batch, consumed); --steps) consumed += global_batch_at(batch, consumed);
  return consumed - before + steps * batch.global;
}

int64_t steps_of_samples(const BatchConfig& batch, int64_t samples) {
  int64_t steps = 0, consumed = 0;
  for (; ramps(batch, consumed); ++steps) {
    const int64_t step = global_batch_at(batch, consumed);
    if (consumed + step > samples) return steps;
    consumed += step;
  }
  return steps + (samples - consumed) / batch.global;
}

}  // namespace longhaul
