// Unigram, WordPiece and WordLevel on vocabularies that fit into the head.
#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "small_tokenizers.h"

namespace longhaul::tokenizer {
namespace {

std::shared_ptr<const Tokenizer> with_model(const nlohmann::json& model) {
  return make_tokenizer({{"version", "1.0"}, {"model", model}});
}

using Ids = std::vector<int32_t>;

TEST(Unigram, TakesTheBestSum) {
  const auto tokenizer = with_model({{"type", "Unigram"},
                                     {"unk_id", 0},
                                     {"vocab", nlohmann::json::parse(R"([["<unk>", 0], ["a", 0], ["b", 0], ["c", 0],
                                        ["d", 0], ["cd", 1], ["ab", 2], ["abc", 5], ["abcd", 10]])")}});
  EXPECT_EQ(tokenizer->encode("abcdacd"), (Ids{8, 1, 5}));
  EXPECT_EQ(tokenizer->encode("abcxyd"), (Ids{7, 0, 4}));  // a run of unknown characters is one token
  EXPECT_EQ(tokenizer->encode("<unk>x"), (Ids{0}));
  EXPECT_EQ(tokenizer->encode(""), Ids{});
}

TEST(Unigram, FallsBackToBytesWhereAllAreTokens) {
  const auto tokenizer =
      with_model({{"type", "Unigram"},
                  {"unk_id", 0},
                  {"byte_fallback", true},
                  {"vocab", nlohmann::json::parse(R"([["<unk>", 0], ["a", -1], ["<0xC3>", -2], ["<0xA9>", -3]])")}});
  EXPECT_EQ(tokenizer->encode("aéa"), (Ids{1, 2, 3, 1}));
  EXPECT_EQ(tokenizer->encode("aèa"), (Ids{1, 0, 1}));
}

TEST(Unigram, NeedsAnUnknownTokenOnlyForWhatIsUnknown) {
  const auto tokenizer =
      with_model({{"type", "Unigram"}, {"vocab", nlohmann::json::parse(R"([["a", -1], ["ab", -1]])")}});
  EXPECT_EQ(tokenizer->encode("aba"), (Ids{1, 0}));
  EXPECT_THROW(tokenizer->encode("b"), UserError);
}

TEST(WordPiece, TakesTheLongestFirst) {
  const auto tokenizer = with_model({{"type", "WordPiece"},
                                     {"unk_token", "[UNK]"},
                                     {"continuing_subword_prefix", "##"},
                                     {"max_input_chars_per_word", 6},
                                     {"vocab", {{"[UNK]", 0}, {"un", 1}, {"##aff", 2}, {"##a", 3}, {"##able", 4}}}});
  EXPECT_EQ(tokenizer->encode("unaff"), (Ids{1, 2}));
  EXPECT_EQ(tokenizer->encode("unaaff"), (Ids{1, 3, 2}));
  EXPECT_EQ(tokenizer->encode("unaffa"), (Ids{1, 2, 3}));
  EXPECT_EQ(tokenizer->encode("unaffaa"), (Ids{0}));  // too long
  EXPECT_EQ(tokenizer->encode("unafx"), (Ids{0}));
  EXPECT_EQ(tokenizer->encode("aff"), (Ids{0}));  // only inside of words
}

TEST(WordLevel, KnowsWholeWords) {
  const auto tokenizer = with_model({{"type", "WordLevel"}, {"unk_token", "?"}, {"vocab", {{"a b", 0}, {"?", 1}}}});
  EXPECT_EQ(tokenizer->encode("a b"), Ids{0});
  EXPECT_EQ(tokenizer->encode("a"), Ids{1});
}

TEST(Bpe, LooksCharactersUpWithTheirAffixes) {
  const auto tokenizer = with_model({{"type", "BPE"},
                                     {"continuing_subword_prefix", "+"},
                                     {"end_of_word_suffix", "$"},
                                     {"vocab", {{"a", 0}, {"+b", 1}, {"+c$", 2}, {"ab", 3}, {"abc$", 4}, {"a$", 5}}},
                                     {"merges", {"a +b", "ab +c$"}}});
  EXPECT_EQ(tokenizer->encode("abc"), Ids{4});
  EXPECT_EQ(tokenizer->encode("ab"), Ids{0});  // there is no "+b$"
  EXPECT_EQ(tokenizer->encode("a"), Ids{5});
}

TEST(Unigram, IsLinearInALongWord) {
  const auto tokenizer = with_model({{"type", "Unigram"},
                                     {"unk_id", 0},
                                     {"vocab", nlohmann::json::parse(R"([["<unk>", 0], ["a", -1], ["aaaa", -2]])")}});
  EXPECT_EQ(tokenizer->encode(std::string(1 << 20, 'a')).size(), 1U << 18);
}

}  // namespace
}  // namespace longhaul::tokenizer
