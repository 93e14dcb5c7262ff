#include "longhaul/train/given_model_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/train/model_folder.h"

namespace longhaul {

void refuse_ignored_model_keys(const ModelConfig& recipe, std::span<const std::string> keys) {
  if (recipe.from.empty() || keys.empty()) return;
  const ModelConfig model = continue_from(recipe, ModelFolder(recipe.from).config());
  const nlohmann::json asked = write_json(fields<ModelConfig>(), &recipe),
                       used = write_json(fields<ModelConfig>(), &model);
  for (const std::string& key : keys) {
    std::string path = "/" + key;
    std::replace(path.begin(), path.end(), '.', '/');
    const nlohmann::json::json_pointer place(path);
    const bool derived = asked.at(place) == nlohmann::json(0);
    if (derived || asked.at(place) == used.at(place)) continue;
    throw UserError(
        "model.{} is set to {}, but the model that model.from names has {}, and is continued as it is: leave "
        "model.{} out, or copy {} and edit the copy's config.json",
        key, lenient_json_text(asked.at(place)), lenient_json_text(used.at(place)), key, recipe.from);
  }
}

}  // namespace longhaul
