#include "longhaul/data/tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include "small_tokenizers.h"

namespace longhaul::tokenizer {
namespace {

// The chunks that come out id by id, and last what `finish` gives.
std::vector<std::string> chunks(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int32_t>& ids) {
  StreamDecoder decoder(tokenizer);
  std::vector<std::string> out;
  for (const int32_t id : ids) out.push_back(decoder.push(id));
  out.push_back(decoder.finish());
  return out;
}

TEST(StreamDecoder, WaitsForWholeCharacters) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  const std::vector<int32_t> ids{'a', 0xE4, 0xB8, 0xAD, 'b'};  // a中b
  EXPECT_EQ(chunks(tokenizer, ids), (std::vector<std::string>{"a", "", "", "中", "b", ""}));
}

TEST(StreamDecoder, ReplacesWhatNeverBecomesACharacter) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(chunks(tokenizer, {0xE4, 'a', 0xFF, 0xE4, 0xB8}),
            (std::vector<std::string>{"", "\uFFFDa", "\uFFFD", "", "", "\uFFFD"}));
}

TEST(StreamDecoder, StripsOnlyTheFirstSpaceOfLlama) {
  auto json = byte_level_json();
  json["model"]["vocab"] = {{"<unk>", 0}, {"▁", 1}, {"a", 2}, {"<0xE4>", 3}, {"<0xB8>", 4}, {"<0xAD>", 5}};
  json["model"]["merges"] = nlohmann::json::array();
  json["pre_tokenizer"] = nullptr;
  json["decoder"] = nlohmann::json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  const auto tokenizer = make_tokenizer(json);
  // Bytes come out when their run ends.
  EXPECT_EQ(chunks(tokenizer, {1, 2, 1, 3, 4, 5, 2, 3}),
            (std::vector<std::string>{"", "a", " ", "", "", "", "中a", "", "\uFFFD"}));
}

TEST(StreamDecoder, SkipsSpecialTokens) {
  auto json = byte_level_json();
  json["added_tokens"] = {{{"id", 259}, {"content", "<eos>"}, {"special", true}, {"normalized", false}}};
  const auto tokenizer = make_tokenizer(json);
  StreamDecoder decoder(tokenizer, /*skip_special_tokens=*/true);
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(259), "");
  EXPECT_EQ(chunks(tokenizer, {259}), (std::vector<std::string>{"<eos>", ""}));
}

}  // namespace
}  // namespace longhaul::tokenizer
