#include "data/tokenizer/tokenizer_folder.h"

#include "data/tokenizer/json_node.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"

namespace longhaul::tokenizer {
namespace {

namespace fs = std::filesystem;

struct File {
  fs::path path;
  nlohmann::json json = nlohmann::json::object();  // empty when there is no such file

  explicit File(fs::path where) : path(std::move(where)) {
    if (!fs::exists(path)) return;
    json = parse_json(read_text(path), path);
    root().require(json.is_object(), "an object");
  }
  JsonNode root() const { return {json, path}; }
};

struct SpecialToken {
  const char* token_key;  // in tokenizer_config.json and special_tokens_map.json
  const char* id_key;     // in generation_config.json and config.json
  std::optional<int32_t> FolderSettings::*id;
};
constexpr SpecialToken kSpecialTokens[] = {
    {"bos_token", "bos_token_id", &FolderSettings::bos_id},
    {"eos_token", "eos_token_id", &FolderSettings::eos_id},
    {"pad_token", "pad_token_id", &FolderSettings::pad_id},
};

// "</s>" or {"content": "</s>", …}
std::optional<int32_t> id_of_token(const JsonNode& root, const char* key, const Pipeline& pipeline) {
  if (!root.has(key)) return std::nullopt;
  const JsonNode node = root.at(key);
  const std::string& token = node.value().is_object() ? node.at("content").string() : node.string();
  const auto id = pipeline.token_to_id(token);
  if (!id)
    log::warning("{}: the token \"{}\" isn't in tokenizer.json and has no id; ignored", node.where(), token);
  return id;
}

// 2 or, where several tokens end a text, [2, 32000]: then the first
std::optional<int32_t> id_of_key(const JsonNode& root, const char* key) {
  if (!root.has(key)) return std::nullopt;
  const JsonNode node = root.at(key);
  if (!node.value().is_array()) return node.integer();
  const auto ids = node.elements();
  if (ids.empty()) return std::nullopt;
  return ids.front().integer();
}

}  // namespace

fs::path tokenizer_file(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw UserError(
        "{}: not a folder. Give the folder of a Hugging Face checkpoint, which holds tokenizer.json.",
        folder.string());
  }
  const fs::path file = folder / "tokenizer.json";
  if (fs::exists(file)) return file;
  for (const char* other : {"tokenizer.model", "vocab.json", "spiece.model", "tekken.json"}) {
    if (fs::exists(folder / other)) {
      throw UserError(
          "{}: has {}, but Longhaul reads tokenizer.json. Make it with transformers: "
          "AutoTokenizer.from_pretrained(\"{}\").save_pretrained(\"{}\").",
          folder.string(), other, folder.string(), folder.string());
    }
  }
  throw UserError("{}: has no tokenizer.json. Copy it there from the checkpoint whose tokenizer you want.",
                  folder.string());
}

FolderSettings read_folder_settings(const fs::path& folder, const Pipeline& pipeline) {
  const File config(folder / "tokenizer_config.json");
  const File map(folder / "special_tokens_map.json");
  const File generation(folder / "generation_config.json");
  const File model(folder / "config.json");
  const bool map_overrides = !config.root().has("added_tokens_decoder");

  FolderSettings settings;
  for (const SpecialToken& special : kSpecialTokens) {
    const JsonNode first = map_overrides ? map.root() : config.root();
    const JsonNode second = map_overrides ? config.root() : map.root();
    std::optional<int32_t>& id = settings.*special.id;
    id = id_of_token(first, special.token_key, pipeline);
    if (!id) id = id_of_token(second, special.token_key, pipeline);
    if (!id) id = id_of_key(generation.root(), special.id_key);
    if (!id) id = id_of_key(model.root(), special.id_key);
  }
  if (config.root().has("add_bos_token")) settings.add_bos = config.root().at("add_bos_token").boolean();
  if (config.root().has("add_eos_token")) settings.add_eos = config.root().at("add_eos_token").boolean();
  return settings;
}

}  // namespace longhaul::tokenizer
