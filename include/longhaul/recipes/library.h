// The recipes that Longhaul brings. Shapes are the published ones; optimiser, schedule, batch and layout of
// the Llama 3, Nemotron and 175B recipes follow the pre-training recipes of NVIDIA NeMo 2. The layout is the
// smallest that is recommended for 80 GB GPUs; the run's remaining ranks are data parallel.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "longhaul/recipes/recipe.h"

namespace longhaul {

namespace recipes {

Recipe llama3_8b();
Recipe llama3_70b();
Recipe llama31_405b();
Recipe tinyllama_1b();
Recipe llama_1_5b();
Recipe llama32_1b();
Recipe llama32_3b();
Recipe gpt2_124m();
Recipe gpt3_175b();
Recipe nemotron3_4b();
Recipe nemotron3_8b();
Recipe nemotron4_15b();
Recipe nemotron4_340b();

// For a laptop: each trains on made-up data in well under a minute on two CPU cores.
Recipe llama_tiny();
Recipe gpt_tiny();
Recipe nemotron_tiny();

}  // namespace recipes

// All of the above, small to large within a family.
std::span<Recipe (*const)()> recipe_library();
// UserError with the nearest name and the list when there is none of that name.
Recipe find_recipe(std::string_view name);

}  // namespace longhaul
