// Remembers the ids of short words. Text repeats its words, so most of them need no merging at all. One
// thread's, of fixed size: a new word takes the place of whatever hashed to the same slot before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace longhaul::tokenizer {

class WordCache {
 public:
  static constexpr size_t kMaxBytes = 30;
  static constexpr size_t kMaxIds = 8;

  WordCache() : slots_(kSlots) {}

  // Appends the ids of `word`: from memory, or else as `encode()` appends them.
  template <typename Encode>
  void append(std::string_view word, std::vector<int32_t>& ids, Encode&& encode) {
    if (word.size() > kMaxBytes || word.empty()) return encode();
    Slot& slot = slots_[hash(word) & (kSlots - 1)];
    if (slot.bytes == word.size() && std::memcmp(slot.word, word.data(), word.size()) == 0) {
      ids.insert(ids.end(), slot.id, slot.id + slot.ids);
      return;
    }
    const size_t begin = ids.size();
    encode();
    fill(slot, word, std::span(ids).subspan(begin));
  }

 private:
  struct alignas(64) Slot {
    uint8_t bytes = 0;  // 0: free
    uint8_t ids = 0;
    char word[kMaxBytes];
    int32_t id[kMaxIds];
  };
  static_assert(sizeof(Slot) == 64);

  // Does nothing when there are more ids than fit.
  static void fill(Slot& slot, std::string_view word, std::span<const int32_t> ids) {
    if (ids.size() > kMaxIds) return;
    slot.bytes = static_cast<uint8_t>(word.size());
    slot.ids = static_cast<uint8_t>(ids.size());
    std::memcpy(slot.word, word.data(), word.size());
    std::copy(ids.begin(), ids.end(), slot.id);  // there may be none
  }

  static constexpr size_t kSlots = size_t{1} << 15;  // 2 MiB

  template <typename T>
  static uint64_t load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  // Multiply and fold, over all bytes (overlapping loads).
  static uint64_t hash(std::string_view word) {
    const char* begin = word.data();
    const size_t n = word.size();
    uint64_t a;
    uint64_t b = 0;
    if (n >= 8) {
      a = load<uint64_t>(begin);
      b = load<uint64_t>(begin + n - 8);
      if (n > 16) {
        a ^= load<uint64_t>(begin + 8) * 0x9FB21C651E98DF25ULL;
        b ^= load<uint64_t>(begin + n - 16) * 0xD6E8FEB86659FD93ULL;
      }
    } else if (n >= 4) {
      a = load<uint32_t>(begin) << 32 | load<uint32_t>(begin + n - 4);
    } else {
      a = load<uint8_t>(begin) << 16 | load<uint8_t>(begin + n / 2) << 8 | load<uint8_t>(begin + n - 1);
    }
    const auto wide = static_cast<unsigned __int128>(a ^ 0xA0761D6478BD642FULL) *
                      (b ^ (0xE7037ED1A0B428DBULL + n * 0x9E3779B97F4A7C15ULL));
    const uint64_t folded = static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
    return folded ^ folded >> 29;
  }

  std::vector<Slot> slots_;
};

}  // namespace longhaul::tokenizer
