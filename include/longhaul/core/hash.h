// XXH3 (64 bits), the checksum of everything that Longhaul writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace longhaul {

uint64_t xxh3(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t xxh3(std::string_view text, uint64_t seed = 0);
// The same of bytes that come piece by piece.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  void add(std::span<const std::byte> bytes);
  uint64_t value() const;  // of all so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hex64(uint64_t value);  // 16 digits

}  // namespace longhaul
