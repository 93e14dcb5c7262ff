// The two-way table between tokens (strings of bytes) and ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::tokenizer {

class Vocabulary {
 public:
  // Room for `tokens` tokens without growing.
  explicit Vocabulary(size_t tokens = 0);

  // A token that is there already gets the new id.
  void add(std::string_view token, int32_t id);
  // -1 when there is no such token.
  int32_t find(std::string_view token) const;
  std::optional<std::string_view> token(int32_t id) const;

  // All tokens with their ids, in order of their addition. The views last as long as nothing is added.
  std::vector<std::pair<std::string_view, int32_t>> entries() const;

  size_t size() const { return entries_.size(); }  // tokens
  int32_t max_id() const { return static_cast<int32_t>(entry_of_id_.size()) - 1; }

 private:
  struct Entry {
    size_t begin;
    uint32_t length;
    int32_t id;
  };
  std::string_view text(const Entry& entry) const { return {bytes_.data() + entry.begin, entry.length}; }
  size_t slot(std::string_view token) const;  // where the token is, or the free place for it
  void grow(size_t slots);

  std::string bytes_;  // all tokens, one behind the other
  std::vector<Entry> entries_;
  std::vector<int32_t> slots_;        // open addressing: index into entries_, or -1
  std::vector<int32_t> entry_of_id_;  // index into entries_, or -1
};

}  // namespace longhaul::tokenizer
