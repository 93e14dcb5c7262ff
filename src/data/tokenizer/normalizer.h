// Normalizers rewrite a text before it is cut into pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

struct NormalizedText {
  std::string text;  // valid UTF-8
  // The first character comes from where the text before normalization started: nothing was cut off there.
  bool keeps_start = true;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(NormalizedText& text) const = 0;
  // True when `text` would come out as it is: spares the copy. May be false although it would.
  virtual bool leaves_alone(std::string_view text) const = 0;
};

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };
std::unique_ptr<Normalizer> make_unicode_form(UnicodeForm form);

std::unique_ptr<Normalizer> make_lowercase();
// Removes combining marks.
std::unique_ptr<Normalizer> make_strip_accents();
// Removes white space from the ends.
std::unique_ptr<Normalizer> make_strip(bool left, bool right);
// Puts `prefix` before every text that isn't empty.
std::unique_ptr<Normalizer> make_prepend(std::string prefix);
std::unique_ptr<Normalizer> make_replace(std::unique_ptr<Matcher> matcher, std::string content);
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> parts);

}  // namespace longhaul::tokenizer
