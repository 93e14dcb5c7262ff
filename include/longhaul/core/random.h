// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC11).
//
// A stream is named, not advanced: the number at `index` of the stream (seed, name) is a pure function of
// those three. So any rank can draw any slice of a tensor and gets what one rank that draws the whole would
// get there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "longhaul/core/philox.h"

namespace longhaul {

class RandomStream {
 public:
  // `name` keys the stream, e.g. a parameter's name, or "dropout/layer3/attention".
  RandomStream(uint64_t seed, std::string_view name);

  // Four 32-bit words for counter `block` (and `sub`, a second counter, e.g. the step).
  std::array<uint32_t, 4> words(uint64_t block, uint64_t sub = 0) const;

  // Uniform in [0, 1), 24 bits, of element `index`.
  float uniform(uint64_t index, uint64_t sub = 0) const;

  // Standard normal numbers for the elements [begin, begin + count), by Box-Muller in double precision.
  void fill_normal(float* out, uint64_t begin, uint64_t count, float mean, float standard_deviation) const;

  // For kernels that inline the block function; they owe the numbers that the functions above return.
  PhiloxKey key() const { return key_; }

 private:
  PhiloxKey key_;
};

}  // namespace longhaul
