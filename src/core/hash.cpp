#include "longhaul/core/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace longhaul {

uint64_t xxh3(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t xxh3(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

struct Xxh3::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> xxhash{XXH3_createState(), &XXH3_freeState};
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) {
  if (!state_->xxhash) throw std::bad_alloc();
  XXH3_64bits_reset(state_->xxhash.get());
}

Xxh3::~Xxh3() = default;

void Xxh3::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_->xxhash.get(), bytes.data(), bytes.size());
}

uint64_t Xxh3::value() const {
  return XXH3_64bits_digest(state_->xxhash.get());
}

std::string hex64(uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace longhaul
