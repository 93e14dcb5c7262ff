#include "data/tokenizer/train/word_counts.h"

#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul::tokenizer {

void WordCounts::add(std::string_view text, int64_t count) {
  LONGHAUL_CHECK(text.size() < UINT32_MAX, "a word of {} bytes", text.size());
  const auto hash = static_cast<uint32_t>(xxh3(text));
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at] != kFree; at = (at + 1) & mask) {
    Entry& entry = entries_[slots_[at]];
    if (entry.hash == hash && word(slots_[at]) == text) {
      entry.count += count;
      return;
    }
  }
  slots_[at] = static_cast<uint32_t>(entries_.size());
  entries_.push_back({bytes_.size(), static_cast<uint32_t>(text.size()), hash, count});
  bytes_ += text;
  if (2 * entries_.size() > slots_.size()) grow();
}

void WordCounts::add(const WordCounts& other) {
  for (size_t i = 0; i < other.size(); ++i) add(other.word(i), other.count(i));
}

void WordCounts::grow() {
  slots_.assign(2 * slots_.size(), kFree);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t at = entries_[i].hash & mask;
    while (slots_[at] != kFree) at = (at + 1) & mask;
    slots_[at] = static_cast<uint32_t>(i);
  }
}

}  // namespace longhaul::tokenizer
