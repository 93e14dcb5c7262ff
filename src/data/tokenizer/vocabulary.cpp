#include "data/tokenizer/vocabulary.h"

#include <bit>

#include "longhaul/core/hash.h"

namespace longhaul::tokenizer {

Vocabulary::Vocabulary(size_t tokens) {
  entries_.reserve(tokens);
  grow(std::bit_ceil(2 * tokens + 16));
}

size_t Vocabulary::slot(std::string_view token) const {
  const size_t mask = slots_.size() - 1;
  size_t at = xxh3(token) & mask;
  while (slots_[at] >= 0 && text(entries_[slots_[at]]) != token) at = (at + 1) & mask;
  return at;
}

void Vocabulary::grow(size_t slots) {
  slots_.assign(slots, -1);
  for (size_t i = 0; i < entries_.size(); ++i) slots_[slot(text(entries_[i]))] = static_cast<int32_t>(i);
}

void Vocabulary::add(std::string_view token, int32_t id) {
  if (2 * (entries_.size() + 1) > slots_.size()) grow(2 * slots_.size());
  const size_t at = slot(token);
  if (slots_[at] < 0) {
    slots_[at] = static_cast<int32_t>(entries_.size());
    entries_.push_back({bytes_.size(), static_cast<uint32_t>(token.size()), id});
    bytes_ += token;
  } else {
    entries_[slots_[at]].id = id;
  }
  if (id >= static_cast<int32_t>(entry_of_id_.size())) entry_of_id_.resize(static_cast<size_t>(id) + 1, -1);
  entry_of_id_[id] = slots_[at];
}

int32_t Vocabulary::find(std::string_view token) const {
  const int32_t entry = slots_[slot(token)];
  return entry < 0 ? -1 : entries_[entry].id;
}

std::optional<std::string_view> Vocabulary::token(int32_t id) const {
  if (id < 0 || id > max_id() || entry_of_id_[id] < 0) return std::nullopt;
  return text(entries_[entry_of_id_[id]]);
}

std::vector<std::pair<std::string_view, int32_t>> Vocabulary::entries() const {
  std::vector<std::pair<std::string_view, int32_t>> entries;
  entries.reserve(entries_.size());
  for (const Entry& entry : entries_) entries.emplace_back(text(entry), entry.id);
  return entries;
}

}  // namespace longhaul::tokenizer
