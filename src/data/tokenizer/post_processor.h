// Post-processors put special tokens around the ids of a text, and trim the places of tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

// A token together with where it stands in the text, in characters.
struct PlacedToken {
  int32_t id;
  Span place;
  std::string text;  // as in the vocabulary
};

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // Works on ids[begin, end). Without `add_special` no special token is put in.
  virtual void process(std::vector<int32_t>& ids, size_t begin, bool add_special) const = 0;
  virtual void process(std::vector<PlacedToken>& tokens, bool add_special) const = 0;
};

// A part of a template: the text's own ids, or special tokens, which have no place in the text.
struct TemplatePart {
  bool is_text = false;
  std::vector<int32_t> special;
};
std::unique_ptr<PostProcessor> make_template(std::vector<TemplatePart> parts);

// Leaves the spaces at the ends of tokens out of their places; the one that was put before a text stays.
std::unique_ptr<PostProcessor> make_trim_offsets(bool prefix_space_added);

}  // namespace longhaul::tokenizer
