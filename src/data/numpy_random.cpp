#include "longhaul/data/numpy_random.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace longhaul {

uint64_t RandomState::interval(uint64_t maximum) {
  if (maximum == 0) return 0;
  const uint64_t mask = std::numeric_limits<uint64_t>::max() >> std::countl_zero(maximum);
  const bool narrow = maximum <= std::numeric_limits<uint32_t>::max();
  while (true) {
    const uint64_t value = (narrow ? next_u32() : next_u64()) & mask;
    if (value <= maximum) return value;
  }
}

bool RandomState::bernoulli(double probability) {
  // NumPy inverts the distribution of the rarer outcome.
  const bool flipped = probability > 0.5;
  const double rare = flipped ? 1 - probability : probability, often = 1 - rare;
  const double bound = std::exp(std::log(often));
  while (true) {
    const double value = next_double();
    if (value <= bound) return flipped;
    if (value - bound <= rare * bound / often) return !flipped;  // else beyond the sum of both, by rounding
  }
}

int64_t RandomState::geometric(double probability) {
  return static_cast<int64_t>(std::ceil(std::log1p(-next_double()) / std::log(1 - probability)));
}

size_t RandomState::choice(std::span<const double> weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double value = next_double();
  size_t chosen = 0;
  double sum = 0;
  for (const double weight : weights) {
    sum += weight;
    chosen += sum / total <= value ? 1 : 0;
  }
  return chosen;
}

void RandomState::intervals(uint64_t maximum, std::span<uint64_t> places) {
  size_t drawn = 0;
  while (drawn < places.size()) {
    const uint64_t largest = maximum - drawn;
    if (largest > std::numeric_limits<uint32_t>::max()) {
      places[drawn++] = interval(largest);
      continue;
    }
    // As many as share a mask. Which draws are rejected can't be predicted, so they are overwritten, not branched over.
    const uint64_t mask = std::numeric_limits<uint64_t>::max() >> std::countl_zero(largest);
    const size_t end = std::min<uint64_t>(places.size(), drawn + (largest - (mask >> 1)));
    while (drawn < end) {
      const uint64_t value = next_u32() & mask;
      places[drawn] = value;
      drawn += value <= maximum - drawn ? 1 : 0;
    }
  }
}

}  // namespace longhaul
