// Small models and layouts for the tests of parallel training.
#pragma once

#include "longhaul/recipes/library.h"

namespace longhaul {

enum class Family { llama, gpt, nemotron };

struct Row {
  const char* name;
  Family family;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t pipeline = 1;
  int64_t virtual_pipeline = 1;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int64_t data = 1;
  Sharding sharding = Sharding::none;
  RecomputeMode recompute = RecomputeMode::none;
  int ranks() const { return static_cast<int>(tensor * pipeline * data); }
};

// Small, and awkward: fewer key/value heads than some rows have ranks, a vocabulary that no number of ranks divides,
// tied embeddings, dropout of every kind.
Recipe small_recipe(Family family);
Recipe recipe_of(const Row& row);

}  // namespace longhaul
