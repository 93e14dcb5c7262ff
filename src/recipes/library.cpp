#include "longhaul/recipes/library.h"

#include <fmt/ranges.h>

#include <array>
#include <vector>

#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"

namespace longhaul {

std::span<Recipe (*const)()> recipe_library() {
  using namespace recipes;
  static constexpr std::array<Recipe (*)(), 16> all{&llama_tiny,   &tinyllama_1b, &llama_1_5b,    &llama32_1b,
                                                    &llama32_3b,   &llama3_8b,    &llama3_70b,    &llama31_405b,
                                                    &gpt_tiny,     &gpt2_124m,    &gpt3_175b,     &nemotron_tiny,
                                                    &nemotron3_4b, &nemotron3_8b, &nemotron4_15b, &nemotron4_340b};
  return all;
}

Recipe find_recipe(std::string_view name) {
  std::vector<std::string> names;
  for (const auto make : recipe_library()) {
    Recipe recipe = make();
    if (recipe.name == name) return recipe;
    names.push_back(recipe.name);
  }
  const std::string close = nearest(name, names);
  throw UserError("there is no recipe \"{}\".{} The recipes are {}; a file's name ends in .json", name,
                  close.empty() ? "" : fmt::format(" Did you mean \"{}\"?", close), fmt::join(names, ", "));
}

}  // namespace longhaul
