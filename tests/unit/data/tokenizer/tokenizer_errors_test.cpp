// What a user reads when a tokenizer can't be used: what is wrong, where, and what to do.
#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "small_tokenizers.h"

namespace longhaul::tokenizer {
namespace {

std::string complaint(const std::string& text) {
  const TemporaryFolder folder;
  const auto file = folder.write("tokenizer.json", text);
  try {
    Tokenizer::from_file(file);
  } catch (const UserError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(file.string())) << error.what();
    return error.what();
  }
  return "no error";
}

std::string complaint(const char* key, const nlohmann::json& value) {
  auto json = byte_level_json();
  json[nlohmann::json::json_pointer(key)] = value;
  return complaint(json.dump());
}

#define EXPECT_SAYS(message, part) EXPECT_NE((message).find(part), std::string::npos) << (message)

TEST(TokenizerErrors, NameUnknownComponents) {
  EXPECT_SAYS(complaint("/normalizer", {{"type", "Odd"}}), "normalizer of type \"Odd\"");
  EXPECT_SAYS(complaint("/pre_tokenizer", {{"type", "Odd"}}), "pre-tokenizer of type \"Odd\"");
  EXPECT_SAYS(complaint("/decoder", {{"type", "Odd"}}), "decoder of type \"Odd\"");
  EXPECT_SAYS(complaint("/post_processor", {{"type", "Odd"}}), "post-processor of type \"Odd\"");
  EXPECT_SAYS(
      complaint("/post_processor", {{"type", "BertProcessing"}, {"cls", {"[CLS]", 1000000}}, {"sep", {"[SEP]", 0}}}),
      "those of the vocabulary, and not 1000000");
  EXPECT_SAYS(complaint("/model/type", "Odd"), "model of type \"Odd\"");
  EXPECT_SAYS(complaint("/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Odd"}}}}}),
              "normalizer.normalizers[0]");
}

TEST(TokenizerErrors, NameWrongValues) {
  EXPECT_SAYS(complaint("/model/dropout", 0.1), "model.dropout: expected null or 0");
  EXPECT_SAYS(complaint("/model/merges", {"a b", "a b c"}), "model.merges[1]: expected two tokens");
  EXPECT_SAYS(complaint("/model/merges", nlohmann::json::parse(R"([["a", "z"]])")), "needs the token \"az\"");
  EXPECT_SAYS(complaint("/model/vocab/x", -1), "the id of token \"x\" is -1");
  EXPECT_SAYS(complaint("/pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}), "a length above 0");
  EXPECT_SAYS(complaint("/pre_tokenizer", {{"type", "CharDelimiterSplit"}, {"delimiter", "ab"}}),
              "pre_tokenizer.delimiter: expected one character");
  EXPECT_SAYS(complaint("/model", {{"type", "Unigram"}, {"vocab", nlohmann::json::parse(R"([["a", "b"]])")}}),
              "a token and its score");
  EXPECT_SAYS(
      complaint("/model", {{"type", "Unigram"}, {"unk_id", 1}, {"vocab", nlohmann::json::parse(R"([["a", 1]])")}}),
      "model.unk_id: expected one of the 1 ids");
  EXPECT_SAYS(complaint("/pre_tokenizer/add_prefix_space", "yes"),
              "pre_tokenizer.add_prefix_space: expected true or false");
  EXPECT_SAYS(complaint("/pre_tokenizer", {{"type", "Punctuation"}, {"behavior", "Odd"}}), "\"Odd\" is no behavior");
  EXPECT_SAYS(complaint("/version", "2.0"), "version");
}

TEST(TokenizerErrors, NameADamagedTableOfReplacements) {
  const auto precompiled = [](const char* base64) {
    return complaint("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", base64}});
  };
  EXPECT_SAYS(precompiled("a?=="), "precompiled_charsmap: expected base64");
  EXPECT_SAYS(precompiled("AAA="), "is damaged");          // too short for a size
  EXPECT_SAYS(precompiled("CAAAAAAAAAA="), "is damaged");  // an array of 8 bytes, of which 4 are there
  EXPECT_SAYS(precompiled("BAAAAAAEAAA="), "is damaged");  // leads out of the array
}

TEST(TokenizerErrors, NameDamage) {
  const std::string text = byte_level_json().dump();
  EXPECT_SAYS(complaint(text.substr(0, text.size() / 2)), "not valid JSON, at byte");
  EXPECT_SAYS(complaint("[]"), "expected a tokenizer");
  EXPECT_SAYS(complaint(R"({"model": {"type": "BPE", "vocab": {}}})"), "\"merges\" is missing");
}

TEST(TokenizerErrors, SayWhatToDoAboutAFolder) {
  const TemporaryFolder folder;
  const auto complain = [](const std::filesystem::path& path) -> std::string {
    try {
      Tokenizer::from_folder(path);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_SAYS(complain(folder.path() / "absent"), "not a folder");
  EXPECT_SAYS(complain(folder.path()), "has no tokenizer.json");
  folder.write("vocab.json", "");
  EXPECT_SAYS(complain(folder.path()), "save_pretrained");
  folder.write("tokenizer.model", "no protocol buffer");
  EXPECT_SAYS(complain(folder.path()), "not a SentencePiece model");
}

TEST(TokenizerErrors, NameAnIdWithoutToken) {
  const auto tokenizer = make_tokenizer(byte_level_json());
  EXPECT_THROW(tokenizer->id_to_token(259), UserError);
  EXPECT_THROW(tokenizer->id_to_token(-1), UserError);
}

TEST(TokenizerErrors, NameACharacterWithoutToken) {
  auto json = byte_level_json();
  json["pre_tokenizer"] = nullptr;
  json["model"]["unk_token"] = "<absent>";
  const auto tokenizer = make_tokenizer(json);
  EXPECT_EQ(tokenizer->encode("ab"), std::vector<int32_t>{256});
  EXPECT_THROW(tokenizer->encode("中"), UserError);
}

}  // namespace
}  // namespace longhaul::tokenizer
