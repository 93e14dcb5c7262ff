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

}  // namespace longhaul
