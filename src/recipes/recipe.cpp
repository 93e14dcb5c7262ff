#include "longhaul/recipes/recipe.h"

#include "longhaul/core/config/field_table.h"

namespace longhaul {

template <>
const FieldTable& fields<Recipe>() {
  using C = Recipe;
  static const FieldTable table = make_table<C>(
      "A recipe: everything that defines a training run",
      {
          field<&C::name>("name", "name of the recipe and, unless trainer.run_dir is set, of the run's folder"),
          field<&C::description>("description", "a line for people"),
          field<&C::model>("model", "The shape and the mathematics of the model"),
          field<&C::data>("data", "Where the tokens come from"),
          field<&C::batch>("batch", "How many sequences a step takes"),
          field<&C::optimizer>("optimizer", "AdamW"),
          field<&C::schedule>("schedule", "The learning rate over the steps"),
          field<&C::trainer>("trainer", "The run"),
          field<&C::checkpoint>("checkpoint", "What is saved when"),
          field<&C::recompute>("recompute", "Activations computed again in the backward pass"),
          field<&C::parallel>("parallel", "How the model is laid out over ranks"),
          field<&C::loss>("loss", "The training loss"),
      });
  return table;
}

Recipe resolved(const Recipe& recipe) {
  validate(recipe);
  Recipe r = recipe;
  if (r.model.from.empty()) r.model = r.model.resolved();
  r.trainer.run_dir = run_folder(r);
  return r;
}

std::string run_folder(const Recipe& recipe) {
  return recipe.trainer.run_dir.empty() ? "runs/" + recipe.name : recipe.trainer.run_dir;
}

}  // namespace longhaul
