// UTF-8 and the character classes that tokenizers cut text by. The decoders below expect valid UTF-8: text
// from outside passes `valid_utf8` (or is mended by `replace_invalid_utf8`) first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "data/tokenizer/code_point_table.h"

namespace longhaul::tokenizer {

struct CodePoint {
  char32_t value;
  uint32_t bytes;
};

inline CodePoint decode_utf8(const char* at) {
  const auto byte = [at](int i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

// The start of the character that ends right before `end` (end > begin).
inline const char* previous_utf8(const char* end) {
  do --end;
  while ((static_cast<unsigned char>(*end) & 0xC0) == 0x80);
  return end;
}

void append_utf8(std::string& out, char32_t code_point);

// The length of the longest valid prefix of `text`.
size_t valid_utf8_prefix(std::string_view text);
bool ascii(std::string_view text);
inline bool valid_utf8(std::string_view text) {
  return valid_utf8_prefix(text) == text.size();
}

// How many bytes at the start of `text`, which does not start with a valid character, one U+FFFD stands for:
// the longest part that some valid character starts with, at least one byte (the practice that Unicode
// recommends). `whole` is false when that part ends with the text, so that more bytes could still complete
// it.
struct InvalidPart {
  size_t bytes;
  bool whole;
};
InvalidPart invalid_utf8_part(std::string_view text);

// `text` with each invalid part replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Classes of characters, as bits.
enum CharClass : uint8_t {
  kLetter = 1,        // \p{L}
  kNumber = 2,        // \p{N}
  kSpace = 4,         // White_Space
  kWord = 8,          // \w: alphabetic, marks, decimal digits, connectors
  kNumeric = 16,      // what the Digits pre-tokenizer takes for a digit
  kPunctuation = 32,  // what the Punctuation pre-tokenizer cuts at
  kMark = 64,         // \p{M}
  kNfcInert = 128,    // a starter that NFC leaves alone and that never composes with what stands before it
};

class CharClasses {
 public:
  static const CharClasses& get();
  uint8_t of(char32_t code_point) const { return table_[code_point]; }
  bool is(char32_t code_point, uint8_t classes) const { return (of(code_point) & classes) != 0; }

 private:
  CharClasses();
  CodePointTable table_;
};

}  // namespace longhaul::tokenizer
