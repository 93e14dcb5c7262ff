#include "data/tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/tokenizer/component_json.h"
#include "data/tokenizer/json_node.h"
#include "longhaul/core/log.h"

namespace longhaul::tokenizer {
namespace {

// Gives `token` the id that the reference gives it: the one that its content has already, or the next free
// one. What the file says about ids is only compared.
void add_token(const JsonNode& node, AddedToken token, int32_t& next_id, Pipeline& pipeline,
               std::vector<AddedToken>& tokens) {
  const std::optional<int32_t> known = pipeline.token_to_id(token.content);
  const int32_t declared = token.id;
  token.id = known ? *known : next_id++;
  if (token.id != declared) {
    log::warning(
        "{}: the token \"{}\" is declared with id {}, but ids are given in order and it gets {}, as it does "
        "in "
        "the tokenizers library",
        node.where(), token.content, declared, token.id);
  }
  token.pattern = token.content;
  if (token.normalized && pipeline.normalizer) {
    NormalizedText normalized;
    normalized.text = token.content;
    pipeline.normalizer->normalize(normalized);
    token.pattern = normalized.text;
    if (token.pattern != token.content) pipeline.added_patterns[token.id] = token.pattern;
  }
  pipeline.added.add(token.content, token.id);
  if (token.special) pipeline.special.insert(token.content);
  std::erase_if(tokens, [&](const AddedToken& other) { return other.id == token.id; });
  tokens.push_back(std::move(token));
}

void read_added_tokens(const JsonNode& node, Pipeline& pipeline) {
  std::vector<AddedToken> tokens;
  auto next_id = static_cast<int32_t>(pipeline.model->vocabulary().size());
  for (const JsonNode& entry : node.elements()) {
    AddedToken token;
    token.id = entry.at("id").integer();
    token.content = entry.at("content").string();
    token.special = entry.boolean_or("special", false);
    token.normalized = entry.boolean_or("normalized", !token.special);
    token.left_strip = entry.boolean_or("lstrip", false);
    token.right_strip = entry.boolean_or("rstrip", false);
    token.single_word = entry.boolean_or("single_word", false);
    if (!token.content.empty()) add_token(entry, std::move(token), next_id, pipeline, tokens);
  }
  const auto middle =
      std::stable_partition(tokens.begin(), tokens.end(), [](const AddedToken& token) { return !token.normalized; });
  pipeline.added_as_is = AddedTokenFinder({tokens.begin(), middle});
  pipeline.added_normalized = AddedTokenFinder({middle, tokens.end()});
}

// What is put around an empty text has ids of this vocabulary. Datasets would carry others to a model that lacks them.
void check_special_ids(const JsonNode& node, const Pipeline& pipeline) {
  std::vector<int32_t> ids;
  for (const auto& post_processor : pipeline.post_processors) post_processor->process(ids, 0, true);
  for (const int32_t id : ids) {
    node.require(id >= 0 && id <= pipeline.max_id(),
                 fmt::format("special tokens with ids from 0 to {}, those of the vocabulary, and not {}",
                             pipeline.max_id(), id));
  }
}

}  // namespace

std::unique_ptr<Pipeline> read_pipeline(std::string_view text, const std::filesystem::path& file) {
  const nlohmann::json json = parse_json(text, file);
  const JsonNode root(json, file);
  root.require(json.is_object() && root.has("model"), "a tokenizer (an object with a \"model\")");
  if (root.has("version")) root.at("version").require(root.at("version").string() == "1.0", "version \"1.0\"");
  if (root.has("truncation") || root.has("padding")) {
    log::warning("{}: \"truncation\" and \"padding\" are ignored; texts are neither cut nor filled up", file.string());
  }

  auto pipeline = std::make_unique<Pipeline>();
  if (root.has("normalizer")) pipeline->normalizer = read_normalizer(root.at("normalizer"));
  if (root.has("pre_tokenizer")) read_pre_tokenizer(root.at("pre_tokenizer"), pipeline->pre_tokenizers);
  pipeline->model = read_model(root.at("model"));
  if (root.has("post_processor")) read_post_processor(root.at("post_processor"), pipeline->post_processors);
  pipeline->decoder = root.has("decoder") ? read_decoder(root.at("decoder")) : make_joining_decoder();
  if (root.has("added_tokens")) read_added_tokens(root.at("added_tokens"), *pipeline);

  if (root.has("post_processor")) check_special_ids(root.at("post_processor"), *pipeline);

  auto& steps = pipeline->pre_tokenizers;
  if (!steps.empty() && steps.back()->only_maps_bytes() && pipeline->model->take_bytes()) steps.pop_back();
  return pipeline;
}

}  // namespace longhaul::tokenizer
