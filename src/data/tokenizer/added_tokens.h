// Added tokens are found in the text before anything else happens to it, whatever the model knows: first
// those that are looked for in the text as it is, then, in what lies between, those that are looked for in
// the normalized text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // left out by decoding, if so asked
  bool normalized = false;   // looked for in the normalized text, by its own normalized form
  bool left_strip = false;   // takes the white space before it along
  bool right_strip = false;  // takes the white space behind it along
  bool single_word = false;  // only where no word character touches it
  std::string pattern;       // what is looked for: the content, or its normalized form
};

// Finds tokens by their patterns: at the leftmost place where any of them stands, the longest.
class AddedTokenFinder {
 public:
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }

  // A token, or (id -1) a stretch of text between tokens.
  struct Part {
    int32_t id;
    Span span;
  };
  // Replaces `parts` by those of `text`, in order. Empty stretches of text are left out.
  void split(std::string_view text, std::vector<Part>& parts) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, uint32_t>> children;  // in order of the byte
    int32_t token = -1;                                        // index into tokens_
  };
  void insert(std::string_view pattern, int32_t token);
  // The longest token that starts at `at`; its index and its end.
  std::optional<std::pair<int32_t, size_t>> longest(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_{1};
  std::array<bool, 256> starts_{};  // the first bytes of the patterns
};

}  // namespace longhaul::tokenizer
