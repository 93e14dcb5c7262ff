#include "data/sentences/characters.h"

#include <utf8proc.h>

#include <array>

namespace longhaul::sentences {
namespace {

using tokenizer::CodePoint;
using tokenizer::CodePointTable;

constexpr CodePointTable::Run kRuns[] = {
#include "data/sentences/character_classes.inc"
};

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr std::string_view kSigma = "\xCF\x83", kFinalSigma = "\xCF\x82";
constexpr char32_t kCapitalDottedI = 0x130;

constexpr bool curly_quote(char32_t c) {
  return c == 0x2018 || c == 0x2019 || c == 0x201C || c == 0x201D || c == 0xAB || c == 0xBB;
}

// Whether the capital sigma at a byte of `text` stands at the end of a word.
bool ends_word(std::string_view text, size_t at) {
  const char* before = text.data() + at;
  bool cased = false;
  while (before > text.data()) {
    before = tokenizer::previous_utf8(before);
    const uint8_t classes = classes_of(tokenizer::decode_utf8(before).value);
    if (classes & kCaseIgnorable) continue;
    cased = (classes & kCased) != 0;
    break;
  }
  if (!cased) return false;
  for (size_t after = at + kSigma.size(); after < text.size();) {
    const CodePoint c = character_at(text, after);
    const uint8_t classes = classes_of(c.value);
    if (!(classes & kCaseIgnorable)) return !(classes & kCased);
    after += c.bytes;
  }
  return true;
}

}  // namespace

uint8_t classes_of(char32_t c) {
  static const CodePointTable table(kRuns);
  return table[c];
}

bool non_word(char32_t c) {
  static constexpr auto kMarks = [] {
    std::array<bool, 128> marks{};
    for (const char mark : std::string_view(")\";}]*:@'({[?!")) marks[static_cast<size_t>(mark)] = true;
    return marks;
  }();
  return c < 128 ? kMarks[c] : curly_quote(c);
}

bool closes_sentence(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || curly_quote(c);
}

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint c = character_at(text, at);
    if (!is(c.value, kSpace)) break;
    at += c.bytes;
  }
  return at;
}

size_t skip_to_space(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint c = character_at(text, at);
    if (is(c.value, kSpace)) break;
    at += c.bytes;
  }
  return at;
}

size_t stripped_size(std::string_view text) {
  const char* end = text.data() + text.size();
  while (end > text.data()) {
    const char* last = tokenizer::previous_utf8(end);
    if (!strippable(tokenizer::decode_utf8(last).value)) break;
    end = last;
  }
  return static_cast<size_t>(end - text.data());
}

void append_lower(std::string_view text, std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = character_at(text, at);
    if (c.value < 0x80) {
      out += static_cast<char>(c.value >= 'A' && c.value <= 'Z' ? c.value + 32 : c.value);
    } else if (c.value == kCapitalSigma) {
      out += ends_word(text, at) ? kFinalSigma : kSigma;
    } else if (c.value == kCapitalDottedI) {  // the one character whose lower case is two: i and a dot above
      out += "i\xCC\x87";
    } else {
      tokenizer::append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    at += c.bytes;
  }
}

}  // namespace longhaul::sentences
