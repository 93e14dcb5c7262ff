// How normalizers write a new text: piece by piece, each in the place of something in the old one, so that
// where every byte comes from in the original text can be kept up, if somebody wants to know.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizer/normalizer.h"

namespace longhaul::tokenizer {

class Rewrite {
 public:
  explicit Rewrite(NormalizedText& text) : text_(text), origins_(text.origins.has_value()) {
    out_.reserve(text.text.size());
    if (origins_) from_.reserve(text.text.size());
  }

  // What is rewritten. Valid until `finish`.
  std::string_view old() const { return text_.text; }
  bool empty() const { return out_.empty(); }

  // The bytes [begin, end) as they are.
  void keep(size_t begin, size_t end) {
    out_.append(text_.text, begin, end - begin);
    if (origins_)
      from_.insert(from_.end(), text_.origins->begin() + static_cast<std::ptrdiff_t>(begin),
                   text_.origins->begin() + static_cast<std::ptrdiff_t>(end));
  }
  // `bytes` in the place of the character at `at`.
  void put(std::string_view bytes, size_t at) {
    out_ += bytes;
    if (origins_) from_.insert(from_.end(), bytes.size(), (*text_.origins)[at]);
  }
  // `bytes` that come from nowhere, right before `at`: they share the place of the character before.
  void insert(std::string_view bytes, size_t at) {
    out_ += bytes;
    if (origins_) {
      from_.insert(from_.end(), bytes.size(),
                   at == 0 ? Span{text_.origin_begin, text_.origin_begin} : (*text_.origins)[at - 1]);
    }
  }
  void finish() {
    text_.text.swap(out_);
    if (origins_) text_.origins->swap(from_);
  }

 private:
  NormalizedText& text_;
  bool origins_;
  std::string out_;
  std::vector<Span> from_;
};

}  // namespace longhaul::tokenizer
