#include "data/md5.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace longhaul {
namespace {

using State = std::array<uint32_t, 4>;

// floor(2^32 · |sin(i + 1)|), as the RFC defines its constants.
std::array<uint32_t, 64> sine_table() {
  std::array<uint32_t, 64> table{};
  for (size_t i = 0; i < 64; ++i) {
    table[i] = static_cast<uint32_t>(std::floor(std::abs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
  }
  return table;
}

void add_block(State& state, const char* block) {
  static const std::array<uint32_t, 64> sines = sine_table();
  static constexpr int kRotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  std::array<uint32_t, 16> words;
  std::memcpy(words.data(), block, 64);
  auto [a, b, c, d] = state;
  for (uint32_t i = 0; i < 64; ++i) {
    uint32_t mixed = 0;
    uint32_t word = 0;
    switch (i / 16) {
      case 0:
        mixed = (b & c) | (~b & d);
        word = i;
        break;
      case 1:
        mixed = (d & b) | (~d & c);
        word = (5 * i + 1) % 16;
        break;
      case 2:
        mixed = b ^ c ^ d;
        word = (3 * i + 5) % 16;
        break;
      default:
        mixed = c ^ (b | ~d);
        word = (7 * i) % 16;
        break;
    }
    const uint32_t next = b + std::rotl(a + mixed + sines[i] + words[word], kRotations[i / 16][i % 4]);
    a = d;
    d = c;
    c = b;
    b = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

std::string md5_hex(std::string_view bytes) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const uint64_t bits = static_cast<uint64_t>(bytes.size()) * 8;
  while (bytes.size() >= 64) {
    add_block(state, bytes.data());
    bytes.remove_prefix(64);
  }
  std::string tail(bytes);
  tail += '\x80';
  tail.resize(tail.size() <= 56 ? 56 : 120, '\0');
  tail.append(reinterpret_cast<const char*>(&bits), 8);
  for (size_t at = 0; at < tail.size(); at += 64) add_block(state, tail.data() + at);

  std::string hex;
  for (const uint32_t word : state) {
    for (int shift = 0; shift < 32; shift += 8) hex += fmt::format("{:02x}", (word >> shift) & 0xff);
  }
  return hex;
}

}  // namespace longhaul
