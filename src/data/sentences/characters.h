// Characters as NLTK's regular expressions and Python's strings see them. Text is valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/tokenizer/code_point_table.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::sentences {

// As bits, in the order of tools/make_sentence_classes.py.
enum CharacterClass : uint8_t {
  kSpace = 1,           // \s
  kLetter = 2,          // [^\W\d]
  kDigit = 4,           // \d
  kUpper = 8,           // str.isupper
  kLower = 16,          // str.islower
  kCased = 32,          // what decides, with the next class,
  kCaseIgnorable = 64,  // whether a sigma ends its word
};

uint8_t classes_of(char32_t c);
inline bool is(char32_t c, uint8_t classes) {
  return (classes_of(c) & classes) != 0;
}

// str.isspace, which is also what str.strip removes: the separators of ASCII are spaces for it, and not for
// \s.
inline bool strippable(char32_t c) {
  return (c >= 0x1C && c <= 0x1F) || is(c, kSpace);
}

// A closing or opening mark that no word contains, and that may stand between a full stop and the next
// sentence.
bool non_word(char32_t c);
// A mark that belongs to the sentence before it.
bool closes_sentence(char32_t c);

// The character at a byte of `text`, which must lie inside it.
inline tokenizer::CodePoint character_at(std::string_view text, size_t at) {
  return tokenizer::decode_utf8(text.data() + at);
}

// The first byte from `at` on where a character is (not) a space; the text's size if there is none.
size_t skip_spaces(std::string_view text, size_t at);
size_t skip_to_space(std::string_view text, size_t at);
// The size of `text` without the space at its end, as str.rstrip counts it.
size_t stripped_size(std::string_view text);

// str.lower, appended.
void append_lower(std::string_view text, std::string& out);

}  // namespace longhaul::sentences
