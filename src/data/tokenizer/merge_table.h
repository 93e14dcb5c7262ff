// The merges of a byte pair encoding: pair of ids -> rank and id of what the two become. Open addressing; a
// lookup is one or two cache lines.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace longhaul::tokenizer {

class MergeTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Merge {
    uint32_t rank = kNone;  // the lower, the earlier
    int32_t id = -1;
  };

  explicit MergeTable(size_t merges) : slots_(std::bit_ceil(2 * merges + 16)), mask_(slots_.size() - 1) {}

  // A pair that is there already gets the new rank.
  void add(int32_t left, int32_t right, Merge merge) {
    const uint64_t key = pair(left, right);
    size_t at = home(key);
    while (slots_[at].pair != kEmpty && slots_[at].pair != key) at = (at + 1) & mask_;
    slots_[at] = {key, merge};
  }
  Merge find(int32_t left, int32_t right) const {
    const uint64_t key = pair(left, right);
    for (size_t at = home(key);; at = (at + 1) & mask_) {
      if (slots_[at].pair == key) return slots_[at].merge;
      if (slots_[at].pair == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;  // no pair: ids are not negative
  struct Slot {
    uint64_t pair = kEmpty;
    Merge merge;
  };
  static uint64_t pair(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t home(uint64_t key) const {
    key *= 0x9E3779B97F4A7C15ULL;
    return (key ^ key >> 32) & mask_;
  }

  std::vector<Slot> slots_;
  size_t mask_;
};

}  // namespace longhaul::tokenizer
