// The expressions that nearly every byte-level tokenizer cuts text with, as matchers by hand: several times
// the speed of a regular expression engine. They share one shape, an ordered choice of
//   contraction | [one stray character] letters | numbers | [space] symbols [newlines] | spaces …
// and differ in the details that `Shape` lists. The order of the alternatives decides, as in the expressions:
//   GPT-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   Llama 3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
//            \s*[\r\n]+|\s+(?!\S)|\s+
//   Qwen     as Llama 3, with \p{N} instead of \p{N}{1,3}
#include "data/tokenizer/matcher.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

struct Shape {
  bool any_case;         // contractions in either case
  bool stray_character;  // letters take any one character before them that is no letter, number or newline,
                         // not just a space
  bool space_before_numbers;
  size_t longest_number;  // in characters
  bool newlines;          // newlines close symbols and spaces
};

constexpr Shape kGpt2Shape{false, false, true, SIZE_MAX, false};
constexpr Shape kLlama3Shape{true, true, false, 3, true};
constexpr Shape kQwenShape{true, true, false, 1, true};

constexpr uint8_t kNotSymbol = kSpace | kLetter | kNumber;

template <Shape shape>
class KnownMatcher : public Matcher {
 public:
  void find(std::string_view text, std::vector<Span>& matches) const override {
    const Scan scan{text.data(), text.data() + text.size(), CharClasses::get()};
    for (const char* at = scan.begin; at != scan.end;) {
      const char* stop = match(scan, at);
      matches.push_back({static_cast<size_t>(at - scan.begin), static_cast<size_t>(stop - scan.begin)});
      at = stop;
    }
  }

 private:
  struct Char {
    uint8_t classes;
    uint32_t bytes;
  };
  struct Scan {
    const char* begin;
    const char* end;
    const CharClasses& table;

    // The character at `at`; no class and no bytes at the end.
    Char look(const char* at) const {
      if (at == end) return {0, 0};
      const CodePoint c = decode_utf8(at);
      return {table.of(c.value), c.bytes};
    }
    // Past the characters of `classes` that start at `at`.
    const char* skip(const char* at, uint8_t classes) const {
      while (at != end) {
        const Char c = look(at);
        if (!(c.classes & classes)) break;
        at += c.bytes;
      }
      return at;
    }
    const char* skip_symbols(const char* at) const {
      while (at != end) {
        const Char c = look(at);
        if (c.classes & kNotSymbol) break;
        at += c.bytes;
      }
      return at;
    }
  };
  static bool newline(char c) { return c == '\r' || c == '\n'; }

  // The end of the match that starts at `at`: every character belongs to some alternative.
  static const char* match(const Scan& scan, const char* at) {
    if (*at == '\'') {
      if (const size_t length = contraction(scan, at)) return at + length;
    }
    const Char first = scan.look(at);
    if (first.classes & kLetter) return scan.skip(at + first.bytes, kLetter);
    const char* second_at = at + first.bytes;
    const bool may_lead = shape.stray_character ? !(first.classes & kNumber) && !newline(*at) : *at == ' ';
    const Char second = scan.look(second_at);
    if (may_lead && (second.classes & kLetter)) return scan.skip(second_at + second.bytes, kLetter);
    if (first.classes & kNumber) return numbers(scan, at);
    if (*at == ' ') {
      if (shape.space_before_numbers && (second.classes & kNumber)) return numbers(scan, second_at);
      if (second.bytes != 0 && !(second.classes & kNotSymbol)) return symbols(scan, second_at);
    }
    if (!(first.classes & kNotSymbol)) return symbols(scan, at);
    return spaces(scan, at);
  }

  static const char* numbers(const Scan& scan, const char* at) {
    if constexpr (shape.longest_number == SIZE_MAX) return scan.skip(at, kNumber);
    for (size_t i = 0; i < shape.longest_number; ++i) {
      const Char c = scan.look(at);
      if (!(c.classes & kNumber)) break;
      at += c.bytes;
    }
    return at;
  }

  static const char* symbols(const Scan& scan, const char* at) {
    at = scan.skip_symbols(at);
    if constexpr (shape.newlines) {
      while (at != scan.end && newline(*at)) ++at;
    }
    return at;
  }

  // \s*[\r\n]+ reaches to the last newline of the run; else the run without the space that leads a word.
  static const char* spaces(const Scan& scan, const char* at) {
    const char* stop = scan.skip(at, kSpace);
    if constexpr (shape.newlines) {
      for (const char* last = stop; last != at; --last) {
        if (newline(last[-1])) return last;
      }
    }
    if (stop == scan.end) return stop;
    const char* last = previous_utf8(stop);
    return last == at ? stop : last;
  }

  // The length of the contraction at `at`, which is an apostrophe; 0 if there is none.
  static size_t contraction(const Scan& scan, const char* at) {
    const size_t left = static_cast<size_t>(scan.end - at);
    if (left < 2) return 0;
    const auto lower = [](char c) { return shape.any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    const char a = lower(at[1]);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (left < 3) return 0;
    const char b = lower(at[2]);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    if (shape.any_case && a == '\xC5' && at[2] == '\xBF') return 3;  // U+017F, the long s, is an s in either case
    return 0;
  }
};

}  // namespace

std::unique_ptr<Matcher> make_gpt2_matcher() {
  return std::make_unique<KnownMatcher<kGpt2Shape>>();
}

std::unique_ptr<Matcher> make_known_matcher(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return make_gpt2_matcher();
  if (pattern == kLlama3Pattern) return std::make_unique<KnownMatcher<kLlama3Shape>>();
  if (pattern == kQwenPattern) return std::make_unique<KnownMatcher<kQwenShape>>();
  return nullptr;
}

}  // namespace longhaul::tokenizer
