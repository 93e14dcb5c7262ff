// Where a run's model comes from: a Hugging Face folder, a checkpoint's weights, or the recipe's own shape.
#pragma once

#include <memory>
#include <vector>

#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/model/parameter.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

class ModelSource {
 public:
  // Resolves the recipe: with `model.from`, shape and family come from that folder's config.json.
  explicit ModelSource(const Recipe& recipe);

  const Recipe& recipe() const { return recipe_; }
  // What an export of this run carries along; without `model.from`, nothing but a type.
  const HfSideCar& side_car() const { return side_car_; }
  // Fills the parameters from `model.from`. Returns false where there is none: the caller initialises.
  bool load_weights(std::vector<Parameter>& parameters) const;

 private:
  std::unique_ptr<const HfFolder> folder_;
  Recipe recipe_;
  HfSideCar side_car_;
};

}  // namespace longhaul
