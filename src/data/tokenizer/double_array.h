// A trie over bytes as a double array: walking it costs one look at one array a byte. (Aoe, "An efficient
// digital search algorithm by using a double-array structure", 1989.) State s goes on with byte b to
// base[s] ^ b, if that place says that it belongs to s.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::tokenizer {

class DoubleArray {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr int32_t kNone = -1;  // no value; no such state

  DoubleArray() : DoubleArray(std::vector<std::pair<std::string_view, int32_t>>{}) {}
  // From keys and their values (0 and above). Empty keys are left out; of equal keys the last one counts.
  explicit DoubleArray(std::vector<std::pair<std::string_view, int32_t>> entries);

  // Goes on by `byte`; false, with `state` unchanged, if no key goes on so.
  bool step(uint32_t& state, unsigned char byte) const {
    const uint32_t next = units_[state].base ^ byte;
    if (units_[next].parent != state) return false;
    state = next;
    return true;
  }
  bool walk(uint32_t& state, std::string_view bytes) const {
    for (const char byte : bytes) {
      if (!step(state, static_cast<unsigned char>(byte))) return false;
    }
    return true;
  }
  // The value of the key that ends in `state`, or kNone.
  int32_t value(uint32_t state) const { return units_[state].value; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  static constexpr uint32_t kNoParent = UINT32_MAX - 1;  // the root's
  struct Unit {
    uint32_t base = 0;
    uint32_t parent = kFree;
    int32_t value = kNone;
  };
  friend class DoubleArrayBuilder;

  std::vector<Unit> units_;
};

}  // namespace longhaul::tokenizer
