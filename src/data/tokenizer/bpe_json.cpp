// Reads a BPE model: its vocabulary, and its merges as "a b" (older files) or ["a", "b"].
#include <algorithm>

#include "data/tokenizer/bpe.h"
#include "data/tokenizer/component_json.h"

namespace longhaul::tokenizer {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // ▁

struct Pair {
  std::string_view left;
  std::string_view right;
};

Pair read_merge(const JsonNode& merge) {
  const nlohmann::json& value = merge.value();
  if (value.is_array()) {
    merge.require(value.size() == 2 && value[0].is_string() && value[1].is_string(), "two tokens");
    return {value[0].get_ref<const std::string&>(), value[1].get_ref<const std::string&>()};
  }
  const std::string_view text = merge.string();
  const size_t space = text.find(' ');
  merge.require(space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos,
                "two tokens with a space between");
  return {text.substr(0, space), text.substr(space + 1)};
}

// "x▁" anywhere, for an x other than ▁
bool metaspace_behind_other(std::string_view token) {
  for (size_t at = 0; (at = token.find(kMetaspace, at)) != std::string_view::npos; at += kMetaspace.size()) {
    if (at != 0 && !token.substr(0, at).ends_with(kMetaspace)) return true;
  }
  return false;
}

void read_merges(const JsonNode& node, BpeConfig& config) {
  const nlohmann::json& merges = node.value();
  node.require(merges.is_array(), "an array of merges");
  config.merges = MergeTable(merges.size());
  // Words that are cut must be cut the same way wherever they stand, and be merged.
  config.cut_at_metaspace = !config.ignore_merges && config.continuing_prefix.empty() && config.end_suffix.empty() &&
                            config.vocabulary.find(kMetaspace) >= 0;
  uint32_t rank = 0;
  std::string merged;
  for (const JsonNode& merge : node.elements()) {
    if (merge.value().is_string() && merge.string().starts_with("#version")) continue;
    const Pair pair = read_merge(merge);
    merged = pair.left;
    // Of two tokens with the prefix the whole has only the left one's; by its length, as in the reference.
    merged += pair.right.substr(std::min(config.continuing_prefix.size(), pair.right.size()));
    const int32_t left = config.vocabulary.find(pair.left);
    const int32_t right = config.vocabulary.find(pair.right);
    const int32_t id = config.vocabulary.find(merged);
    if (left < 0 || right < 0 || id < 0) {
      throw UserError(
          "{}: \"{}\" + \"{}\" needs the token \"{}\", which the vocabulary lacks. Vocabulary and merges "
          "don't belong together; get the file again.",
          merge.where(), pair.left, pair.right,
          left < 0    ? pair.left
          : right < 0 ? pair.right
                      : merged);
    }
    config.merges.add(left, right, {rank++, id});
    if (metaspace_behind_other(merged)) config.cut_at_metaspace = false;
  }
}

}  // namespace

std::unique_ptr<Model> read_bpe(const JsonNode& node) {
  if (node.has("dropout")) {
    const JsonNode dropout = node.at("dropout");
    dropout.require(dropout.value().is_number() && dropout.value() == 0,
                    "null or 0 (with dropout the ids of a text would be random)");
  }
  BpeConfig config;
  config.vocabulary = read_vocabulary(node.at("vocab"));
  config.fuse_unknown = node.boolean_or("fuse_unk", false);
  config.byte_fallback = node.boolean_or("byte_fallback", false);
  config.ignore_merges = node.boolean_or("ignore_merges", false);
  if (node.has("continuing_subword_prefix")) {
    config.continuing_prefix = node.at("continuing_subword_prefix").string();
  }
  if (node.has("end_of_word_suffix")) config.end_suffix = node.at("end_of_word_suffix").string();
  if (node.has("unk_token")) config.unknown_token = node.at("unk_token").string();
  read_merges(node.at("merges"), config);
  return make_bpe(std::move(config));
}

}  // namespace longhaul::tokenizer
