// How often each word (piece of text) occurs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::tokenizer {

class WordCounts {
 public:
  WordCounts() { slots_.assign(1 << 12, kFree); }

  void add(std::string_view word, int64_t count = 1);
  void add(const WordCounts& other);

  size_t size() const { return entries_.size(); }
  std::string_view word(size_t i) const { return {bytes_.data() + entries_[i].begin, entries_[i].length}; }
  int64_t count(size_t i) const { return entries_[i].count; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Entry {
    size_t begin;
    uint32_t length;
    uint32_t hash;
    int64_t count;
  };
  void grow();

  std::string bytes_;  // all words, one behind the other
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // open addressing: index into entries_
};

}  // namespace longhaul::tokenizer
