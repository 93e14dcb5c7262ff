// Finding where a pattern matches. A matcher lists the matches of a text from left to right, none
// overlapping, as the reference's iterators do; what stands between two matches is a gap, which the caller
// makes use of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::tokenizer {

// Bytes [begin, end) of some text.
struct Span {
  size_t begin;
  size_t end;
  bool operator==(const Span&) const = default;
};

class Matcher {
 public:
  virtual ~Matcher() = default;
  // Appends the matches in `text` (valid UTF-8). Thread-safe.
  virtual void find(std::string_view text, std::vector<Span>& matches) const = 0;
};

// Every place where `literal` stands.
std::unique_ptr<Matcher> make_literal_matcher(std::string literal);

// Every single character of one of `classes` (bits of CharClass).
std::unique_ptr<Matcher> make_class_matcher(uint8_t classes);

// A regular expression in the reference's dialect: a matcher by hand for the few that everybody uses, PCRE2
// for the rest. Throws UserError, starting with `where`, when the expression is wrong or can't be taken over
// exactly.
std::unique_ptr<Matcher> make_regex_matcher(std::string_view pattern, std::string_view where);

// The expressions that have a matcher by hand, see known_matchers.cpp.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// GPT-2's expression, the one that ByteLevel applies by itself.
std::unique_ptr<Matcher> make_gpt2_matcher();

// The matcher by hand for `pattern`; null when there is none.
std::unique_ptr<Matcher> make_known_matcher(std::string_view pattern);

// The matcher by PCRE2, also for patterns that a matcher by hand exists for.
std::unique_ptr<Matcher> make_pcre_matcher(std::string_view pattern, std::string_view where);

}  // namespace longhaul::tokenizer
