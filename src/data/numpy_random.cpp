#include "longhaul/data/numpy_random.h"

#include <bit>
#include <limits>

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
