// Small models and layouts for the tests of parallel training.
#pragma once

#include <string>

#include "longhaul/parallel/stage_layers.h"
#include "longhaul/recipes/library.h"

namespace longhaul {

enum class Family { llama, gpt, nemotron };

struct Row {
  Family family = Family::llama;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t pipeline = 1;
  int64_t virtual_pipeline = 1;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int64_t data = 1;
  Sharding sharding = Sharding::none;
  RecomputeMode recompute = RecomputeMode::none;
  int64_t chunks = 1;  // of tokens between the tensor ranks
  std::string order = ParallelConfig().order;
  parallel::LayerSplit split{};
  int64_t layers = 0;  // 0: four, or as many as there are pipeline chunks
  int ranks() const { return static_cast<int>(tensor * pipeline * data); }
};

// "llama tp2 sp pp2 dp2 zero1 full": what isn't as on one rank.
std::string name_of(const Row& row);

// Small, and awkward: fewer key/value heads than some rows have ranks, a vocabulary that no number of ranks
// divides, tied embeddings, dropout of every kind.
Recipe small_recipe(Family family, int64_t layers = 4);
Recipe recipe_of(const Row& row);

}  // namespace longhaul
