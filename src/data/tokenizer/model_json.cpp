// Reads the models other than BPE, and tells which one a file has.
#include "data/tokenizer/component_json.h"
#include "data/tokenizer/unigram.h"
#include "data/tokenizer/word_piece.h"
#include "longhaul/core/json_text.h"

namespace longhaul::tokenizer {
namespace {

std::unique_ptr<Model> read_unigram(const JsonNode& node) {
  UnigramConfig config;
  const JsonNode entries = node.at("vocab");
  entries.require(entries.value().is_array(), "an array of tokens and scores");
  config.vocabulary = Vocabulary(entries.value().size());
  for (const nlohmann::json& entry : entries.value()) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      throw UserError("{}: entry {} is {}; expected a token and its score.", entries.where(), config.scores.size(),
                      lenient_json_text(entry));
    }
    config.vocabulary.add(entry[0].get_ref<const std::string&>(), static_cast<int32_t>(config.scores.size()));
    config.scores.push_back(entry[1].get<double>());
  }
  config.byte_fallback = node.boolean_or("byte_fallback", false);
  if (node.has("unk_id")) {
    config.unknown_id = node.at("unk_id").integer();
    node.at("unk_id").require(static_cast<size_t>(*config.unknown_id) < config.scores.size(),
                              fmt::format("one of the {} ids of the vocabulary", config.scores.size()));
  }
  return make_unigram(std::move(config));
}

std::unique_ptr<Model> read_word_piece(const JsonNode& node) {
  WordPieceConfig config;
  config.vocabulary = read_vocabulary(node.at("vocab"));
  config.unknown_token = node.at("unk_token").string();
  config.continuing_prefix = node.at("continuing_subword_prefix").string();
  config.max_characters = static_cast<size_t>(node.at("max_input_chars_per_word").integer());
  return make_word_piece(std::move(config));
}

std::unique_ptr<Model> read_word_level(const JsonNode& node) {
  return make_word_level({read_vocabulary(node.at("vocab")), node.at("unk_token").string()});
}

// Old files leave the type out; then what the model has tells.
std::string model_type(const JsonNode& node) {
  if (node.has("type")) return component_type(node);
  if (node.has("merges")) return "BPE";
  if (node.has("continuing_subword_prefix")) return "WordPiece";
  if (node.has("vocab") && node.at("vocab").value().is_array()) return "Unigram";
  return "WordLevel";
}

}  // namespace

Vocabulary read_vocabulary(const JsonNode& node) {
  node.require(node.value().is_object(), "an object of tokens and ids");
  Vocabulary vocabulary(node.value().size());
  for (const auto& [token, id] : node.value().items()) {
    if (!id.is_number_integer() || id < 0 || id >= INT32_MAX) {
      throw UserError("{}: the id of token \"{}\" is {}; ids are whole numbers from 0.", node.where(), token,
                      lenient_json_text(id));
    }
    vocabulary.add(token, id.get<int32_t>());
  }
  return vocabulary;
}

std::unique_ptr<Model> read_model(const JsonNode& node) {
  const std::string type = model_type(node);
  if (type == "BPE") return read_bpe(node);
  if (type == "Unigram") return read_unigram(node);
  if (type == "WordPiece") return read_word_piece(node);
  if (type == "WordLevel") return read_word_level(node);
  refuse_component(node, "model", "BPE, Unigram, WordPiece and WordLevel");
}

}  // namespace longhaul::tokenizer
