#include "longhaul/core/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace longhaul {

uint64_t xxh3(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t xxh3(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

std::string hex64(uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace longhaul
