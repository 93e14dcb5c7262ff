#include <nlohmann/json.hpp>

#include "longhaul/core/config/describe.h"
#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/json_text.h"
#include "longhaul/recipes/load.h"

namespace longhaul {

using nlohmann::ordered_json;

std::string recipe_file_text(const Recipe& recipe) {
  Recipe reference;
  reference.model = family_preset(recipe.model.family);
  ordered_json changes = write_changes(fields<Recipe>(), &recipe, &reference);
  // The name is there even when it is the default, and the family first sets what it sets.
  ordered_json object = {{"name", recipe.name}};
  object.update(changes);
  if (object.contains("model") || recipe.model.family != ModelConfig{}.family) {
    ordered_json model = {{"family", recipe.model.family}};
    if (object.contains("model")) model.update(object["model"]);
    object["model"] = model;
  }
  return json_text(object, 2) + "\n";
}

std::string full_recipe_text(const Recipe& recipe) {
  return json_text(write_json(fields<Recipe>(), &recipe), 2) + "\n";
}

std::string recipe_schema_text() {
  ordered_json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "Longhaul recipe"}};
  schema.update(json_schema(fields<Recipe>()));
  ordered_json properties = {
      {"$schema", {{"type", "string"}, {"description", "where an editor finds this schema"}}},
      {"base",
       {{"type", "string"},
        {"description", "a recipe's name, or a relative path that ends in .json, that this recipe starts from"}}}};
  properties.update(schema["properties"]);
  schema["properties"] = properties;
  return json_text(schema, 2) + "\n";
}

std::string recipe_reference_text() {
  return "# Configuration\n\n"
         "<!-- Written by `llm-pretrain schema --markdown > docs/configuration.md`; a test checks that it is "
         "up to "
         "date. -->\n\n"
         "A recipe is a JSON file with comments, or a typed C++ struct with the same fields. In a file, keys "
         "stand in "
         "groups: `optimizer.lr` below is `{\"optimizer\": {\"lr\": 3e-4}}`. On the command line it is "
         "`optimizer.lr=3e-4`. Everything has a default; a key that is not listed here is an error. Paths are relative to the "
         "folder in which the program is started, but for \"base\".\n\n"
         "Two keys stand outside the tables: `\"base\"` names a recipe (`llm-pretrain recipes list`) or a "
         "relative path "
         "of another file, from which this one starts; `\"$schema\"` is for editors.\n\n"
         "Two keys reach further than themselves: `model.family`, where it changes the family, first sets "
         "the "
         "mathematics of that family, whatever the order of the keys; `data.train` turns a base's "
         "`data.mock` off. "
         "The last two columns say what Megatron-LM and Hugging Face call the same thing, where they do.\n" +
         markdown_reference(fields<Recipe>());
}

}  // namespace longhaul
