// Puts trainers together with the other components of a tokenizer, and writes the files.
#include "longhaul/data/tokenizer/train.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/train/bpe_trainer.h"
#include "data/tokenizer/train/count_words.h"
#include "data/tokenizer/train/unigram_trainer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using Json = nlohmann::ordered_json;

std::string_view pattern_text(WordPattern pattern) {
  switch (pattern) {
    case WordPattern::gpt2:
      return tokenizer::kGpt2Pattern;
    case WordPattern::llama3:
      return tokenizer::kLlama3Pattern;
    case WordPattern::qwen2:
      return tokenizer::kQwenPattern;
  }
  LONGHAUL_CHECK(false, "unknown pattern {}", static_cast<int>(pattern));
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

// Everything but the model.
Json byte_level_components(WordPattern pattern) {
  Json json;
  json["normalizer"] = nullptr;
  if (pattern == WordPattern::gpt2) {
    json["pre_tokenizer"] = byte_level(true);
  } else {
    const Json split{{"type", "Split"},
                     {"pattern", {{"Regex", pattern_text(pattern)}}},
                     {"behavior", "Isolated"},
                     {"invert", false}};
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}};
  }
  json["post_processor"] = byte_level(true);
  json["post_processor"]["trim_offsets"] = false;
  json["decoder"] = byte_level(true);
  return json;
}

Json unigram_components() {
  const Json metaspace{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}};
  const Json squeeze{{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}};
  Json json;
  json["normalizer"] = {{"type", "Sequence"},
                        {"normalizers", Json::array({{{"type", "Nmt"}}, {{"type", "NFKC"}}, squeeze})}};
  json["pre_tokenizer"] = metaspace;
  json["post_processor"] = nullptr;
  json["decoder"] = metaspace;
  return json;
}

// A model that knows just enough for the pipeline to be read: texts are only cut.
Json untrained_model(TokenizerKind kind) {
  if (kind == TokenizerKind::unigram)
    return {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", Json::array({{"<unk>", 0.0}})}};
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[tokenizer::byte_letters()[byte]] = byte;
  return {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}};
}

Json train_bpe_model(const tokenizer::WordCounts& words, const TrainTokenizerOptions& options) {
  const auto trained = tokenizer::train_bpe(
      words, {options.vocab_size, options.min_frequency, options.special_tokens, options.show_progress});
  Json vocabulary = Json::object();
  for (size_t id = 0; id < trained.tokens.size(); ++id) vocabulary[trained.tokens[id]] = id;
  Json merges = Json::array();
  for (const auto& [left, right] : trained.merges) merges.push_back(Json::array({left, right}));
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

Json train_unigram_model(const tokenizer::WordCounts& words, const TrainTokenizerOptions& options) {
  Json vocabulary = Json::array();
  for (const auto& [piece, score] : tokenizer::train_unigram(
           words, {options.vocab_size, options.special_tokens, options.threads, options.show_progress})) {
    vocabulary.push_back(Json::array({piece, score}));
  }
  return {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", std::move(vocabulary)}, {"byte_fallback", false}};
}

Json added_tokens(const std::vector<std::string>& tokens) {
  Json added = Json::array();
  for (size_t id = 0; id < tokens.size(); ++id) {
    added.push_back({{"id", id},
                     {"content", tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  return added;
}

// Without own special tokens of the user those that the kind usually has; which of them does what goes by name.
Json token_roles(TokenizerKind kind, const std::vector<std::string>& tokens) {
  Json config{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const auto add = [&](const char* role, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (config.contains(role) || std::find(tokens.begin(), tokens.end(), name) == tokens.end()) continue;
      config[role] = name;
    }
  };
  add("bos_token", {"<s>", "<|begin_of_text|>", "<|endoftext|>"});
  add("eos_token", {"</s>", "<|end_of_text|>", "<|endoftext|>"});
  add("pad_token", {"<pad>", "<|pad|>"});
  if (kind == TokenizerKind::unigram) config["unk_token"] = tokens.front();
  return config;
}

void check(const TrainTokenizerOptions& options) {
  std::vector<std::string> sorted = options.special_tokens;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) throw UserError("the special token \"{}\" is given twice", *twice);
  if (std::find(sorted.begin(), sorted.end(), "") != sorted.end()) throw UserError("a special token is empty");
  if (options.vocab_size >= INT32_MAX) throw UserError("a vocabulary of {} tokens is too large", options.vocab_size);
}

}  // namespace

TrainTokenizerReport train_tokenizer(const TrainTokenizerOptions& given, const std::filesystem::path& folder) {
  const auto start = std::chrono::steady_clock::now();
  TrainTokenizerOptions options = given;
  const bool bpe = options.kind == TokenizerKind::bpe;
  if (options.special_tokens.empty()) {
    options.special_tokens =
        bpe ? std::vector<std::string>{"<|endoftext|>"} : std::vector<std::string>{"<unk>", "<s>", "</s>"};
  }
  if (options.threads <= 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  check(options);

  Json json{{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", Json::array()}};
  json.update(bpe ? byte_level_components(options.pattern) : unigram_components());
  json["model"] = untrained_model(options.kind);
  const auto pipeline = tokenizer::read_pipeline(json_text(json), "the components of the new tokenizer");

  TrainTokenizerReport report;
  const tokenizer::WordCounts words = tokenizer::count_words(options, *pipeline, report);
  report.words = static_cast<int64_t>(words.size());
  json["model"] = bpe ? train_bpe_model(words, options) : train_unigram_model(words, options);
  json["added_tokens"] = added_tokens(options.special_tokens);
  report.tokens = static_cast<int64_t>(json["model"]["vocab"].size());

  make_folder(folder);
  write_text(folder / "tokenizer_config.json", json_text(token_roles(options.kind, options.special_tokens), 2) + "\n");
  write_text(folder / "tokenizer.json", json_text(json, 2) + "\n");
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace longhaul
