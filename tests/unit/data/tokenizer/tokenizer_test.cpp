#include "longhaul/data/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "longhaul/core/hash.h"
#include "small_tokenizers.h"

namespace longhaul::tokenizer {
namespace {

TEST(Tokenizer, EncodesAndDecodes) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(tokenizer->encode("abcab t"), (std::vector<int32_t>{257, 256, 258}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{257, 256, 258}), "abcab t");
  EXPECT_EQ(tokenizer->encode(""), std::vector<int32_t>{});
  EXPECT_EQ(tokenizer->vocab_size(), 259);
  EXPECT_EQ(tokenizer->token_to_id("abc"), 257);
  EXPECT_EQ(tokenizer->token_to_id("abcd"), std::nullopt);
  EXPECT_EQ(tokenizer->id_to_token(258), "Ġt");
}

TEST(Tokenizer, AppendsToTheCallersIds) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  EncodeScratch scratch(*tokenizer);
  std::vector<int32_t> ids{7};
  tokenizer->encode("abc", true, ids, scratch);
  tokenizer->encode("ab", true, ids, scratch);
  EXPECT_EQ(ids, (std::vector<int32_t>{7, 257, 256}));
}

// One "word" of 10 MB, of letters that merge and of letters that don't: n log n, or this takes hours.
TEST(Tokenizer, TakesAWordOfTenMegabytes) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  constexpr size_t kBytes = 10'000'000;
  std::string text(kBytes, 'a');
  for (size_t i = 1; i < kBytes; i += 2) text[i] = 'b';
  const auto start = std::chrono::steady_clock::now();
  const auto ids = tokenizer->encode(text);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(ids.size(), kBytes / 2);
  EXPECT_LT(seconds.count(), 60);
}

TEST(Tokenizer, IsTheSameFromManyThreads) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(std::string(i % 17, 'a') + "bc t" + std::to_string(i));
  std::vector<std::vector<int32_t>> expected;
  for (const auto& text : texts) expected.push_back(tokenizer->encode(text));
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < texts.size(); ++i) equal[t] += tokenizer->encode(texts[i]) == expected[i];
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, static_cast<int>(texts.size())));
}

TEST(Tokenizer, FingerprintIsOfTheFile) {
  const TemporaryFolder folder;
  const std::string text = byte_level_json().dump();
  EXPECT_EQ(Tokenizer::from_file(folder.write("tokenizer.json", text))->fingerprint(), xxh3(text));
}

}  // namespace
}  // namespace longhaul::tokenizer
