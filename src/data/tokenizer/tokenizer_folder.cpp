#include "data/tokenizer/tokenizer_folder.h"

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/sentencepiece_model.h"
#include "data/tokenizer/tokenizer_json.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
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
  if (!id) log::warning("{}: the token \"{}\" isn't in tokenizer.json and has no id; ignored", node.where(), token);
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

FolderSettings read_settings(const fs::path& folder, const File& config, const Pipeline& pipeline) {
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

// Whether a text gets a first and a last token goes by the class, where nothing says so.
SentencePieceSettings sentencepiece_settings(const JsonNode& config) {
  const std::string name = config.has("tokenizer_class") ? config.at("tokenizer_class").string() : "";
  SentencePieceSettings settings;
  settings.add_bos = config.boolean_or("add_bos_token", name.starts_with("Llama") || name.starts_with("Gemma"));
  settings.add_eos = config.boolean_or("add_eos_token", name.starts_with("T5"));
  settings.prefix_everywhere = config.boolean_or("legacy", true);
  return settings;
}

}  // namespace

fs::path tokenizer_file(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw UserError("{}: not a folder. Give the folder of a Hugging Face checkpoint, which holds tokenizer.json{}.",
                    folder.string(), hint_for_missing(folder));
  }
  const fs::path file = folder / "tokenizer.json";
  if (fs::exists(file)) return file;
  for (const char* model : {"tokenizer.model", "spiece.model"}) {
    if (fs::exists(folder / model)) return folder / model;
  }
  for (const char* other : {"vocab.json", "vocab.txt", "tekken.json"}) {
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

FolderTokenizer read_folder_tokenizer(const fs::path& folder, std::string_view text, const fs::path& file) {
  const File config(folder / "tokenizer_config.json");
  if (file.extension() == ".json") {
    auto pipeline = read_pipeline(text, file);
    const FolderSettings settings = read_settings(folder, config, *pipeline);
    return {std::move(pipeline), settings};
  }
  const SentencePieceModel model = read_sentencepiece_model(text, sentencepiece_settings(config.root()), file);
  auto pipeline = read_pipeline(json_text(model.tokenizer_json), file);
  FolderSettings settings = read_settings(folder, config, *pipeline);
  if (!settings.bos_id) settings.bos_id = model.bos_id;
  if (!settings.eos_id) settings.eos_id = model.eos_id;
  if (!settings.pad_id) settings.pad_id = model.pad_id;
  return {std::move(pipeline), settings};
}

}  // namespace longhaul::tokenizer
