#include "longhaul/core/random.h"

#include <cmath>
#include <numbers>

#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// In (0, 1], so that its logarithm is finite.
double open_unit(uint32_t word) { return (static_cast<double>(word) + 1.0) * 0x1p-32; }

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view name) {
  const uint64_t key = xxh3(name, seed);
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

std::array<uint32_t, 4> RandomStream::words(uint64_t block, uint64_t sub) const {
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(sub),
                 static_cast<uint32_t>(sub >> 32)},
                key_);
}

float RandomStream::uniform(uint64_t index, uint64_t sub) const {
  return static_cast<float>(words(index / 4, sub)[index % 4] >> 8) * 0x1p-24F;
}

void RandomStream::fill_normal(float* out, uint64_t begin, uint64_t count, float mean,
                               float standard_deviation) const {
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
