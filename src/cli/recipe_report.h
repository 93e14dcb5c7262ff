// Recipes as text for people.
#pragma once

#include <string>

#include "longhaul/recipes/recipe.h"

namespace longhaul::cli {

// Parameters, FLOPs, memory by recomputation mode, and every setting that differs from the defaults. `shaped`: the
// recipe with the shape of the model that it continues from, where it does.
std::string recipe_report(const Recipe& recipe, const Recipe& shaped);

}  // namespace longhaul::cli
