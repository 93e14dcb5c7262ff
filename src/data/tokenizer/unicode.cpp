#include "data/tokenizer/unicode.h"

#include <cstring>

namespace longhaul::tokenizer {
namespace {

constexpr CodePointTable::Run kClassRuns[] = {
#include "data/tokenizer/unicode_classes.inc"
};

// The range of the second byte that may follow `first`; {1, 0} when `first` starts no character.
struct SecondByte {
  unsigned low, high, bytes;
};
SecondByte second_byte(unsigned char first) {
  if (first < 0xC2) return {1, 0, 1};
  if (first < 0xE0) return {0x80, 0xBF, 2};
  if (first == 0xE0) return {0xA0, 0xBF, 3};
  if (first == 0xED) return {0x80, 0x9F, 3};
  if (first < 0xF0) return {0x80, 0xBF, 3};
  if (first == 0xF0) return {0x90, 0xBF, 4};
  if (first < 0xF4) return {0x80, 0xBF, 4};
  if (first == 0xF4) return {0x80, 0x8F, 4};
  return {1, 0, 1};
}

}  // namespace

CharClasses::CharClasses() : table_(kClassRuns) {}

const CharClasses& CharClasses::get() {
  static const CharClasses classes;
  return classes;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool ascii(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080ULL) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

size_t valid_utf8_prefix(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size()) {  // eight ASCII bytes at a time
      uint64_t word;
      std::memcpy(&word, bytes + i, 8);
      if (word & 0x8080808080808080ULL) break;
      i += 8;
    }
    if (i == text.size()) break;
    if (bytes[i] < 0x80) {
      ++i;
      continue;
    }
    const SecondByte second = second_byte(bytes[i]);
    if (i + second.bytes > text.size() || bytes[i + 1] < second.low || bytes[i + 1] > second.high) return i;
    for (unsigned k = 2; k < second.bytes; ++k) {
      if ((bytes[i + k] & 0xC0) != 0x80) return i;
    }
    i += second.bytes;
  }
  return i;
}

InvalidPart invalid_utf8_part(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const SecondByte second = second_byte(bytes[0]);
  if (second.low > second.high) return {1, true};
  size_t length = 1;
  while (length < second.bytes) {
    if (length == text.size()) return {length, false};
    const unsigned low = length == 1 ? second.low : 0x80;
    const unsigned high = length == 1 ? second.high : 0xBF;
    if (bytes[length] < low || bytes[length] > high) break;
    ++length;
  }
  return {length, true};
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += kReplacementCharacter;
    text.remove_prefix(invalid_utf8_part(text).bytes);
  }
  return out;
}

}  // namespace longhaul::tokenizer
