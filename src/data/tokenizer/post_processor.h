// Post-processors put special tokens around the ids of a text. Those that only move offsets about, which
// nobody here asks for, leave no trace.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace longhaul::tokenizer {

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // Works on ids[begin, end). Without `add_special` no special token is put in.
  virtual void process(std::vector<int32_t>& ids, size_t begin, bool add_special) const = 0;
};

// A part of a template: the text's own ids, or special tokens.
struct TemplatePart {
  bool is_text = false;
  std::vector<int32_t> special;
};
std::unique_ptr<PostProcessor> make_template(std::vector<TemplatePart> parts);

}  // namespace longhaul::tokenizer
