// A recipe: everything that defines a training run, as one plain struct. Files, overrides and C++ code all
// end here.
//   auto recipe = longhaul::recipes::llama3_8b();
//   recipe.data.train = "corpus_text_document";
#pragma once

#include <string>

#include "longhaul/data/data_config.h"
#include "longhaul/model/model_config.h"
#include "longhaul/optim/optimizer_config.h"
#include "longhaul/recipes/run_config.h"

namespace longhaul {

struct Recipe {
  std::string name = "custom";
  std::string description;
  ModelConfig model;
  DataConfig data;
  BatchConfig batch;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TrainerConfig trainer;
  CheckpointConfig checkpoint;
  RecomputeConfig recompute;
  ParallelConfig parallel;
  LossConfig loss;
  bool operator==(const Recipe&) const = default;
};

template <>
const FieldTable& fields<Recipe>();

// The values that are 0 or empty for "derive it", derived: the model's shape (unless it comes from model.from) and
// trainer.run_dir. What follows from trainer.max_steps, as the schedule's lengths do, stays open, so that a run whose
// config.json is its recipe can still be made longer. Validates first.
Recipe resolved(const Recipe& recipe);

// trainer.run_dir, or runs/<name>.
std::string run_folder(const Recipe& recipe);

// Throws UserError for what can't be meant: sizes that don't divide, a sequence longer than the model's
// positions, a warm-up longer than the run … The message names the keys, their values and a remedy. Nothing
// is allocated or read. `ranks`: of the run, for the layout; 0: not known.
void validate(const Recipe& recipe, int64_t ranks = 0);

// The part of validate() that needs the model's shape. With model.from the shape is known only once the
// checkpoint's config.json is read (continue_from): validate() leaves this part out then, and whoever reads
// the checkpoint runs it.
void validate_shape(const Recipe& recipe, int64_t ranks = 0);

// Throws UserError when the recipe names no data to train on.
void require_data(const Recipe& recipe);

// UserError where the recipe's layout, resolved, does not fit `ranks` ranks.
void require_layout(const Recipe& recipe, int64_t ranks);

// UserError, with all that is in the way, where trainer.cuda_graphs can't record the recipe's micro-batches. Its model
// is resolved. `ranks`: of the run; 0: not known.
void require_cuda_graphs(const Recipe& recipe, int64_t ranks = 0);

}  // namespace longhaul
