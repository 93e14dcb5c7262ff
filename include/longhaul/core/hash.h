// XXH3 (64 bits), the checksum of everything that Longhaul writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace longhaul {

uint64_t xxh3(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t xxh3(std::string_view text, uint64_t seed = 0);
std::string hex64(uint64_t value);  // 16 digits

// The same hash over bytes that arrive in pieces.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;
  void update(std::span<const std::byte> bytes);
  uint64_t digest() const;

 private:
  void* state_;
};

}  // namespace longhaul
