// A new text as a list of characters, each with how it relates to the old ones: the way in which the reference
// describes what its Unicode forms and precompiled tables do. Where every byte comes from follows from it,
// including what is odd about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/normalizer.h"

namespace longhaul::tokenizer {

class Transformation {
 public:
  explicit Transformation(NormalizedText& text) : text_(text) { out_.reserve(text.text.size()); }

  bool tracks() const { return text_.origins.has_value(); }

  // One character that takes the place of the next old one and of -change more (change <= 0), or that comes
  // from nowhere (change > 0).
  void put(std::string_view character, int32_t change) {
    out_ += character;
    if (tracks()) steps_.push_back({static_cast<uint8_t>(character.size()), change});
  }
  // The next characters, which are `text`, as they are.
  void keep(std::string_view text);
  // The next characters, which are `old_part`, become `new_part`, one by one as long as both have some.
  void replace(std::string_view old_part, std::string_view new_part);

  void finish();

 private:
  struct Step {
    uint8_t bytes;
    int32_t change;
  };
  NormalizedText& text_;
  std::string out_;
  std::vector<Step> steps_;
};

}  // namespace longhaul::tokenizer
