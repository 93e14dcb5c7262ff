// Recipes from files and from the command line.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "longhaul/recipes/recipe.h"

namespace longhaul {

// `name_or_file` is a recipe of the library, or a path that ends in .json. `overrides` are key=value texts,
// applied in order on top. The result is validated (UserError).
//
// A file is JSON with comments. Its key "base" names a recipe of the library or another file, relative to
// this one, that it starts from; its other keys say what differs. Without "base" it starts from the defaults.
// Two keys have a reach, in a file and in the overrides alike: model.family, where it changes the family,
// first sets that family's mathematics (family_preset), whatever the order in which the keys stand; and
// data.train turns the base's data.mock off. A file without "name" is named as the file.
// `ranks`: of the run, which the layout must fit; 0: not known.
Recipe load_recipe(const std::string& name_or_file, std::span<const std::string> overrides = {}, int64_t ranks = 0);

// Whether the file, what it is based on, or an override says anything of the model; a recipe of the library does.
bool names_a_model(const std::string& name_or_file, std::span<const std::string> overrides = {});

// The keys below `model` ("layers", "rope_scaling.factor") that were given together with model.from or after it: in the
// same file, or as overrides. What a base or a recipe of the library says is not among them: it describes a model from
// scratch. Empty without model.from.
std::vector<std::string> model_keys_given_with_from(const std::string& name_or_file,
                                                    std::span<const std::string> overrides = {});

// Only what differs from the defaults of the recipe's family: a file that load_recipe reads to the same
// recipe.
std::string recipe_file_text(const Recipe& recipe);
// All fields; read by load_recipe too.
std::string full_recipe_text(const Recipe& recipe);
// The JSON Schema of recipe files.
std::string recipe_schema_text();
// docs/configuration.md.
std::string recipe_reference_text();

}  // namespace longhaul
