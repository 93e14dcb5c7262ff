#include "longhaul/core/random.h"

#include <cmath>
#include <numbers>

#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

// In (0, 1], so that its logarithm is finite.
double open_unit(uint32_t word) {
  return (static_cast<double>(word) + 1.0) * 0x1p-32;
}

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view name) {
  const uint64_t key = xxh3(name, seed);
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

std::array<uint32_t, 4> RandomStream::words(uint64_t block, uint64_t sub) const {
  const PhiloxBlock w = philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                static_cast<uint32_t>(sub), static_cast<uint32_t>(sub >> 32)},
                               key_);
  return {w.word0, w.word1, w.word2, w.word3};
}

float RandomStream::uniform(uint64_t index, uint64_t sub) const {
  return static_cast<float>(words(index / 4, sub)[index % 4] >> 8) * 0x1p-24F;
}

void RandomStream::fill_normal(float* out, uint64_t begin, uint64_t count, float mean, float standard_deviation) const {
  for (uint64_t block = begin / 4; block * 4 < begin + count; ++block) {
    const auto w = words(block);
    for (int pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2.0 * std::log(open_unit(w[2 * pair])));
      const double angle = 2.0 * std::numbers::pi * open_unit(w[2 * pair + 1]);
      const double values[2] = {radius * std::cos(angle), radius * std::sin(angle)};
      for (int i = 0; i < 2; ++i) {
        const uint64_t index = block * 4 + 2 * pair + i;
        if (index < begin || index >= begin + count) continue;
        out[index - begin] = static_cast<float>(mean + standard_deviation * values[i]);
      }
    }
  }
}

}  // namespace longhaul
