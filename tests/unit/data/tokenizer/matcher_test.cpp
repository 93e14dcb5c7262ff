#include "data/tokenizer/matcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/random.h"

namespace longhaul::tokenizer {
namespace {

constexpr const char* kPatterns[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

// The matchers by hand against the regular expressions that they stand for.
TEST(KnownMatchers, MatchWhatTheExpressionsMatch) {
  const char32_t alphabet[] = {'a',   'S',    't',  'r',  'e',    'v',     'L',   'l',  'd',  'M', '\'',
                               '\'',  ' ',    ' ',  '\n', '\r',   '\t',    '7',   '9',  '!',  '.', 0xE9,
                               0x17F, 0x3000, 0x85, 0xA0, 0x4E2D, 0x1F600, 0x301, 0xBD, 0x660};
  const RandomStream random(11, "matcher test");
  for (const char* pattern : kPatterns) {
    const auto known = make_known_matcher(pattern);
    ASSERT_TRUE(known) << pattern;
    const auto engine = make_pcre_matcher(pattern, "test");
    for (uint64_t round = 0; round < 4000; ++round) {
      std::string text;
      const int length = static_cast<int>(random.uniform(0, round) * 40);
      for (int i = 0; i < length; ++i) {
        append_utf8(text, alphabet[static_cast<size_t>(random.uniform(i + 1, round) * std::size(alphabet))]);
      }
      std::vector<Span> expected;
      std::vector<Span> found;
      engine->find(text, expected);
      known->find(text, found);
      ASSERT_EQ(found, expected) << pattern << " on: " << text;
    }
  }
}

TEST(KnownMatchers, AreOnlyForExactlyTheirPatterns) {
  EXPECT_FALSE(make_known_matcher(fmt::format("{}|x", kPatterns[0])));
  EXPECT_TRUE(make_regex_matcher(R"(\p{L}+)", "test"));
}

TEST(RegexMatcher, RefusesWhatItCanNotTakeOver) {
  for (const char* pattern :
       {R"(\p{N}{1,3}+)", R"([\p{L}&&[^a]])", R"([[:alpha:]])", R"(\K)", R"(a\)", R"((?#x)a)", "[a"}) {
    EXPECT_THROW(make_pcre_matcher(pattern, "file: key"), UserError) << pattern;
  }
  try {
    make_pcre_matcher("a(b", "tokenizer.json: pre_tokenizer.pattern.Regex");
    FAIL();
  } catch (const UserError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("tokenizer.json: pre_tokenizer.pattern.Regex"), std::string::npos) << message;
    EXPECT_NE(message.find("a(b"), std::string::npos) << message;
  }
}

// Alternatives that run to the end of a long text and back must not cost more stack, or time, than there is.
TEST(RegexMatcher, TakesLongTexts) {
  const std::string text(4'000'000, 'x');
  for (const char* pattern : {R"((?:a|x)+)", R"(\p{L}+(?!\S)|.)", R"((x|y)*z|x+)"}) {
    std::vector<Span> matches;
    make_pcre_matcher(pattern, "test")->find(text, matches);
    EXPECT_EQ(matches, (std::vector<Span>{{0, text.size()}})) << pattern;
  }
}

}  // namespace
}  // namespace longhaul::tokenizer
