// Recipes as text for people.
#pragma once

#include <string>

#include "longhaul/recipes/recipe.h"

namespace longhaul::cli {

// Parameters, FLOPs, memory by recomputation mode, and every setting that differs from the defaults.
std::string recipe_report(const Recipe& recipe);

// A commented recipe file with `recipe` as its base and the settings that most users change.
std::string starter_file_text(const Recipe& recipe);

}  // namespace longhaul::cli
