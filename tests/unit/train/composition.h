// A random mix of everything that can be chosen about a training: the model's shape and mathematics, the
// batch, the layout over ranks.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/recipes/recipe.h"

namespace longhaul {

struct Composition {
  Recipe recipe;
  int ranks = 1;          // at most 16
  int64_t documents = 1;  // of a sample, at most
};

// Number `index` of the sequence that `seed` names, the same on every machine. Most fit together; some do
// not.
Composition draw_composition(uint64_t seed, int64_t index);

// The same training on one rank: no layout, samples one by one, nothing recomputed.
Recipe on_one_rank(Recipe recipe);

// In words, with all that was drawn.
std::string describe(const Composition& composition);

}  // namespace longhaul
