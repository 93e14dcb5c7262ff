// What is rewritten, by way of a walk over the pattern that knows escapes, classes and group heads:
//   \s \S     PCRE2's \s also takes U+180E                    -> \p{White_Space}
//   \w \W \d  PCRE2's \w leaves out marks and connectors      -> classes by property
//   \b \B     follow \w                                       -> lookarounds
//   \h \H     a hexadecimal digit there, a blank here         -> [0-9a-fA-F]
//   \uHHHH    a code point                                    -> \x{HHHH}
//   (?m       there the dot takes newlines, which is (?s here
// Refused: class intersections and nested classes, {n,m}+ (there a repeated repetition, here a possessive
// one), and escapes whose meaning differs otherwise.
#include "data/tokenizer/regex_dialect.h"

#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

// Oniguruma's \w. Outside of a class it takes six Latin-1 numbers (² ³ ¹ ¼ ½ ¾) that it doesn't take inside
// of one.
constexpr std::string_view kWordInClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kWord = R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}])";
constexpr std::string_view kNoWord = R"([^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}])";

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view where) : pattern_(pattern), where_(where) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        escape(false);
      } else if (c == '[') {
        char_class();
      } else if (pattern_.substr(at_, 2) == "(?") {
        group_head();
      } else if (c == '}' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] == '+') {
        refuse("'}+'");
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw UserError(
        "{}: the regular expression '{}' uses {}, which can't be taken over exactly. Write that part in "
        "another way.",
        where_, pattern_, what);
  }
  void copy(size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }

  void group_head() {
    copy(2);
    if (at_ < pattern_.size() && pattern_[at_] == '#') refuse("a comment");
    const size_t stop = pattern_.find_first_not_of("imx-", at_);
    if (stop == std::string_view::npos || (pattern_[stop] != ':' && pattern_[stop] != ')')) return;
    for (; at_ < stop; ++at_) out_ += pattern_[at_] == 'm' ? 's' : pattern_[at_];
  }

  void escape(bool in_class) {
    if (at_ + 1 == pattern_.size()) refuse("a backslash at its end");
    const char c = pattern_[at_ + 1];
    switch (c) {
      case 's':
        replace("\\p{White_Space}");
        return;
      case 'S':
        replace("\\P{White_Space}");
        return;
      case 'd':
        replace("\\p{Nd}");
        return;
      case 'D':
        replace("\\P{Nd}");
        return;
      case 'w':
        replace(in_class ? kWordInClass : kWord);
        return;
      case 'W':
        if (in_class) refuse("\\W in a class");
        replace(kNoWord);
        return;
      case 'h':
        replace(in_class ? "0-9a-fA-F" : "[0-9a-fA-F]");
        return;
      case 'H':
        if (in_class) refuse("\\H in a class");
        replace("[^0-9a-fA-F]");
        return;
      case 'b':
        if (in_class) break;
        replace(fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", kWord));
        return;
      case 'B':
        if (in_class) refuse("\\B in a class");
        replace(fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", kWord));
        return;
      case 'u':
        if (at_ + 6 > pattern_.size()) refuse("an incomplete \\u");
        out_ += fmt::format("\\x{{{}}}", pattern_.substr(at_ + 2, 4));
        at_ += 6;
        return;
      case 'v':
        replace("\\x0B");
        return;
      case 'p':
      case 'P':
      case 'x': {
        copy(2);
        const bool braces = at_ < pattern_.size() && pattern_[at_] == '{';
        const size_t close = braces ? pattern_.find('}', at_) : std::string_view::npos;
        if (close != std::string_view::npos) copy(close - at_ + 1);
        return;
      }
      case 't':
      case 'n':
      case 'r':
      case 'f':
      case 'a':
      case 'e':
        copy(2);
        return;
      case 'A':
      case 'z':
      case 'Z':
        if (in_class) refuse(fmt::format("\\{} in a class", c));
        copy(2);
        return;
      default:
        break;
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z' && c != 'b') || (c >= 'A' && c <= 'Z')) {
      refuse(fmt::format("\\{}", c));
    }
    copy(2);
  }

  void replace(std::string_view with) {
    out_ += with;
    at_ += 2;
  }

  void char_class() {
    copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == '^') copy(1);
    bool first = true;
    for (;; first = false) {
      if (at_ >= pattern_.size()) refuse("an unclosed '['");
      const char c = pattern_[at_];
      if (c == ']' && !first) {
        copy(1);
        return;
      }
      if (c == '\\') {
        escape(true);
      } else if (c == '[') {
        refuse("'[' inside of a class");
      } else if (pattern_.substr(at_, 2) == "&&") {
        refuse("'&&' inside of a class");
      } else {
        copy(1);
      }
    }
  }

  std::string_view pattern_;
  std::string_view where_;
  std::string out_;
  size_t at_ = 0;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, std::string_view where) {
  return Translator(pattern, where).run();
}

}  // namespace longhaul::tokenizer
