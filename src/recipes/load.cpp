#include "longhaul/recipes/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "longhaul/core/config/json.h"
#include "longhaul/core/config/override.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/recipes/library.h"

namespace longhaul {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

bool is_file_name(const std::string& name) {
  return name.ends_with(".json") || name.find('/') != std::string::npos;
}

// A change of family brings that family's mathematics and keeps the shape.
void change_family(ModelConfig& model, const std::string& family) {
  if (family == model.family) return;
  ModelConfig preset = family_preset(family);
  preset.from = model.from;
  preset.layers = model.layers;
  preset.hidden = model.hidden;
  preset.heads = model.heads;
  preset.kv_heads = model.kv_heads;
  preset.head_dim = model.head_dim;
  preset.ffn_hidden = model.ffn_hidden;
  preset.vocab_size = model.vocab_size;
  preset.vocab_multiple = model.vocab_multiple;
  preset.max_positions = model.max_positions;
  preset.attention_dropout = model.attention_dropout;
  preset.hidden_dropout = model.hidden_dropout;
  preset.embedding_dropout = model.embedding_dropout;
  preset.init_std = model.init_std;
  preset.scaled_init = model.scaled_init;
  model = preset;
}

const json* text_at(const json& object, const char* section, const char* key) {
  if (!object.contains(section) || !object[section].is_object() || !object[section].contains(key)) return nullptr;
  const json& value = object[section][key];
  return value.is_string() ? &value : nullptr;
}

Recipe read_file(const fs::path& path, std::vector<std::string>& chain) {
  std::error_code ignored;
  std::string place = fs::weakly_canonical(path, ignored).string();
  if (place.empty()) place = path.string();
  if (std::find(chain.begin(), chain.end(), place) != chain.end()) {
    chain.push_back(place);
    throw UserError("the recipe files are based on each other in a circle: {}. Remove one \"base\"",
                    fmt::join(chain, " -> "));
  }
  chain.push_back(place);

  const std::string source = path.string();
  json object = parse_json(read_text(path), source);
  if (!object.is_object()) throw UserError("{}: expected a JSON object {{ … }}, got {}", source, object.type_name());
  object.erase("$schema");  // for editors
  Recipe recipe;
  if (object.contains("base")) {
    if (!object["base"].is_string())
      throw UserError("{}: base: expected the name of a recipe or a relative path that ends in .json, got {}", source,
                      json_text(object["base"]));
    const auto base = object["base"].get<std::string>();
    if (is_file_name(base)) {
      recipe = read_file(path.parent_path() / base, chain);
    } else {
      try {
        recipe = find_recipe(base);
      } catch (const UserError& error) {
        throw UserError("{}: base: {}", source, error.what());
      }
    }
    object.erase("base");
  }
  recipe.name = path.stem().string();
  if (const json* family = text_at(object, "model", "family")) change_family(recipe.model, *family);
  const bool mock_given = object.contains("data") && object["data"].is_object() && object["data"].contains("mock");
  if (const json* train = text_at(object, "data", "train");
      train && !train->get_ref<const std::string&>().empty() && !mock_given)
    recipe.data.mock = false;
  read_config(recipe, object, source);
  return recipe;
}

void override_all(Recipe& recipe, std::span<const std::string> overrides) {
  constexpr std::string_view family = "model.family=", train = "data.train=", mock = "data.mock=";
  bool train_given = false, mock_given = false;
  for (const std::string& text : overrides) {
    if (text.starts_with(family)) change_family(recipe.model, text.substr(family.size()));
    train_given |= text.starts_with(train) && text.size() > train.size();
    mock_given |= text.starts_with(mock);
  }
  if (train_given && !mock_given) recipe.data.mock = false;
  for (const std::string& text : overrides) apply_override(recipe, text);
}

void add_leaves(const json& object, const std::string& prefix, std::vector<std::string>& keys) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      add_leaves(value, prefix + key + ".", keys);
    } else {
      keys.push_back(prefix + key);
    }
  }
}

}  // namespace

bool names_a_model(const std::string& name_or_file, std::span<const std::string> overrides) {
  if (std::any_of(overrides.begin(), overrides.end(), [](const auto& text) { return text.starts_with("model."); }))
    return true;
  if (!is_file_name(name_or_file)) return true;
  const json object = parse_json(read_text(name_or_file), name_or_file);
  return object.contains("model") || object.contains("base");
}

std::vector<std::string> model_keys_given_with_from(const std::string& name_or_file,
                                                    std::span<const std::string> overrides) {
  constexpr std::string_view model = "model.";
  if (load_recipe(name_or_file, overrides).model.from.empty()) return {};
  const bool from_overridden =
      std::any_of(overrides.begin(), overrides.end(), [](const auto& text) { return text.starts_with("model.from="); });
  std::vector<std::string> keys;
  if (is_file_name(name_or_file) && !from_overridden) {
    const json object = parse_json(read_text(name_or_file), name_or_file);
    if (text_at(object, "model", "from") != nullptr) add_leaves(object["model"], "", keys);
  }
  for (const std::string& text : overrides) {
    if (text.starts_with(model)) keys.push_back(text.substr(model.size(), text.find('=') - model.size()));
  }
  std::erase(keys, "from");
  return keys;
}

Recipe load_recipe(const std::string& name_or_file, std::span<const std::string> overrides, int64_t ranks) {
  Recipe recipe;
  if (is_file_name(name_or_file)) {
    std::vector<std::string> chain;
    recipe = read_file(name_or_file, chain);
  } else {
    recipe = find_recipe(name_or_file);
  }
  override_all(recipe, overrides);
  validate(recipe, ranks);
  return recipe;
}

}  // namespace longhaul
