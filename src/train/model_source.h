// Where a run's model comes from: `model.from` (a Hugging Face folder, or a checkpoint's weights), or the recipe's own
// shape and an initialisation.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "longhaul/model/parameter.h"
#include "longhaul/recipes/recipe.h"
#include "longhaul/train/model_folder.h"

namespace longhaul {

// Where `model.from` is gone: the checkpoint that the run goes on from, which holds all that was taken from there (it
// is verified, which reads it). Else empty.
std::filesystem::path checkpoint_instead_of_model(const Recipe& recipe);

class ModelSource {
 public:
  // Resolves the recipe: with `model.from`, shape and family come from that folder, or from `instead` where that is not
  // empty. UserError where its layout does not fit `ranks` ranks; 0: how many there are is not known.
  ModelSource(const Recipe& recipe, int64_t ranks, const std::filesystem::path& instead);
  ModelSource(const Recipe& recipe, int64_t ranks) : ModelSource(recipe, ranks, checkpoint_instead_of_model(recipe)) {}

  const Recipe& recipe() const { return recipe_; }
  // What an export of this run carries along; without `model.from`, the files of `data.tokenizer`.
  const HfSideCar& side_car() const { return side_car_; }
  // That of `model.from` or `data.tokenizer`; null where neither brings one.
  std::shared_ptr<const Tokenizer> tokenizer() const;
  // Fills parameters, some or all at a time, from `model.from`, or initialises them with `trainer.seed`. This outlives
  // it.
  WeightReader weights() const;

 private:
  std::unique_ptr<const ModelFolder> folder_;
  Recipe recipe_;
  HfSideCar side_car_;
  std::shared_ptr<const Tokenizer> own_tokenizer_;  // of data.tokenizer
};

}  // namespace longhaul
