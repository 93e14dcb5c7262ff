// tokenizer.json: what loads must encode and decode any text, with ids below the vocabulary's size.
#include <memory>
#include <nlohmann/json.hpp>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "scratch_folder.h"
#include "unit/data/tokenizer/small_tokenizers.h"
#include "use_tokenizer.h"

namespace longhaul::fuzz {
namespace {

using nlohmann::json;

json added_token(int32_t id, const std::string& content, bool special, bool normalized = false) {
  return {{"id", id},           {"content", content},       {"single_word", false}, {"lstrip", false},
          {"rstrip", !special}, {"normalized", normalized}, {"special", special}};
}

json byte_level() {
  json tokenizer = tokenizer::byte_level_json();
  tokenizer["added_tokens"] = {added_token(259, "<|end|>", true), added_token(260, "two words", false, true)};
  tokenizer["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}}}};
  tokenizer["post_processor"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}, {"use_regex", true}};
  return tokenizer;
}

json byte_fallback() {
  json vocabulary{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}, {"▁", 259}, {"▁t", 260}, {"t", 261}, {"h", 262}, {"th", 263}};
  for (int byte = 0; byte < 256; ++byte) vocabulary[fmt::format("<0x{:02X}>", byte)] = 3 + byte;
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", {added_token(0, "<unk>", true), added_token(1, "<s>", true), added_token(2, "</s>", true)}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair", {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", {{"▁", "t"}, {"t", "h"}}}}}};
}

json unigram() {
  return {
      {"version", "1.0"},
      {"added_tokens", {added_token(0, "<pad>", true), added_token(1, "</s>", true)}},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers",
         {{{"type", "Nmt"}}, {{"type", "NFKC"}}, {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}}}}}},
      {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}}},
      {"model",
       {{"type", "Unigram"},
        {"unk_id", 2},
        {"byte_fallback", false},
        {"vocab",
         {{"<pad>", 0.0},
          {"</s>", 0.0},
          {"<unk>", 0.0},
          {"▁", -2.5},
          {"▁the", -1.5},
          {"th", -3.0},
          {"e", -2.0},
          {"t", -4.0}}}}}};
}

json word_piece() {
  return {
      {"version", "1.0"},
      {"added_tokens", {added_token(0, "[UNK]", true), added_token(1, "[CLS]", true), added_token(2, "[SEP]", true)}},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"the", 3}, {"t", 4}, {"##h", 5}, {"##e", 6}}}}}};
}

json word_level() {
  const json split{{"type", "Split"}, {"pattern", {{"String", "-"}}}, {"behavior", "MergedWithNext"}, {"invert", true}};
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers", {{{"type", "NFD"}}, {{"type", "StripAccents"}}, {{"type", "Lowercase"}}}}}},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "WhitespaceSplit"}},
              {{"type", "Punctuation"}, {"behavior", "Contiguous"}},
              {{"type", "Digits"}, {"individual_digits", true}},
              {{"type", "UnicodeScripts"}},
              {{"type", "CharDelimiterSplit"}, {"delimiter", "_"}},
              {{"type", "FixedLength"}, {"length", 5}},
              split}}}},
          {"post_processor",
           {{"type", "RobertaProcessing"},
            {"sep", {"the", 1}},
            {"cls", {"<unk>", 0}},
            {"trim_offsets", true},
            {"add_prefix_space", true}}},
          {"decoder", {{"type", "CTC"}, {"pad_token", "<pad>"}, {"word_delimiter_token", "|"}, {"cleanup", true}}},
          {"model", {{"type", "WordLevel"}, {"vocab", {{"<unk>", 0}, {"the", 1}, {"1", 2}}}, {"unk_token", "<unk>"}}}};
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  for (const json& seed : {byte_level(), byte_fallback(), unigram(), word_piece(), word_level()})
    target.seeds.push_back(seed.dump());
  target.seeds.emplace_back(
      R"({"version":"1.0","model":{"type":"BPE","vocab":{"q":0},"merges":[]}})");  // few words have ids
  for (const char* type : {"BPE",
                           "Unigram",
                           "WordPiece",
                           "WordLevel",
                           "BPEDecoder",
                           "BertNormalizer",
                           "BertPreTokenizer",
                           "BertProcessing",
                           "ByteFallback",
                           "ByteLevel",
                           "CTC",
                           "CharDelimiterSplit",
                           "Digits",
                           "FixedLength",
                           "Fuse",
                           "Lowercase",
                           "Metaspace",
                           "NFC",
                           "NFD",
                           "NFKC",
                           "NFKD",
                           "Nmt",
                           "Precompiled",
                           "Prepend",
                           "Punctuation",
                           "Replace",
                           "RobertaProcessing",
                           "Sequence",
                           "Split",
                           "Strip",
                           "StripAccents",
                           "TemplateProcessing",
                           "UnicodeScripts",
                           "Whitespace",
                           "WhitespaceSplit",
                           "Isolated",
                           "Removed",
                           "MergedWithPrevious",
                           "first",
                           "never",
                           "precompiled_charsmap",
                           "Regex",
                           "String",
                           "(a|b",
                           "\\\\p{L}+",
                           "(?=a)*",
                           "a{1000}",
                           "(.*)*x",
                           "[^\\\\s]",
                           "unk_token",
                           "AAAAAA==",
                           "dropout",
                           "max_input_chars_per_word"}) {
    target.words.push_back(fmt::format("\"{}\"", type));
    target.words.emplace_back(type);
  }
  target.read = [folder](std::string_view input) {
    use(*Tokenizer::from_file(folder->write("tokenizer.json", input)));
  };
  return target;
}

}  // namespace longhaul::fuzz
