// Normalizers rewrite a text before it is cut into pieces.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

struct NormalizedText {
  std::string text;  // valid UTF-8
  // The first character comes from where the text before normalization started: nothing was cut off there.
  bool keeps_start = true;
  // If wanted: of each byte of `text`, the bytes of the original text that it stands for.
  std::optional<std::vector<Span>> origins;
  size_t origin_begin = 0;  // where the text before normalization started in the original text
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
// Each byte becomes its letter, see byte_level.h.
std::unique_ptr<Normalizer> make_byte_letters_normalizer();
// What SentencePiece's rules for machine translation do: no control characters, every space a plain one.
std::unique_ptr<Normalizer> make_nmt();
// A table of replacements as SentencePiece compiles it into its models: `charsmap` holds the size of a double
// array in bytes (a little-endian uint32), the array, and the texts that it points into, each ended by a zero.
// Throws UserError, starting with `where`, when it is damaged.
std::unique_ptr<Normalizer> make_precompiled(std::string_view charsmap, std::string_view where);

struct BertNormalizerConfig {
  bool clean_text;            // no control characters, every space a plain one
  bool handle_chinese_chars;  // a space before and behind each Han character
  bool strip_accents;
  bool lowercase;
};
std::unique_ptr<Normalizer> make_bert_normalizer(const BertNormalizerConfig& config);
// Removes combining marks.
std::unique_ptr<Normalizer> make_strip_accents();
// Removes white space from the ends.
std::unique_ptr<Normalizer> make_strip(bool left, bool right);
// Puts `prefix` before every text that isn't empty.
std::unique_ptr<Normalizer> make_prepend(std::string prefix);
std::unique_ptr<Normalizer> make_replace(std::unique_ptr<Matcher> matcher, std::string content);
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> parts);

}  // namespace longhaul::tokenizer
