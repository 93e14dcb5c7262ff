#include "train/model_source.h"

#include "longhaul/core/log.h"
#include "longhaul/core/table.h"
#include "longhaul/model/initialise.h"

namespace longhaul {

ModelSource::ModelSource(const Recipe& recipe) {
  Recipe wanted = recipe;
  if (!recipe.model.from.empty()) {
    folder_ = std::make_unique<const ModelFolder>(recipe.model.from);
    std::vector<std::string> notes;
    wanted.model = continue_from(recipe.model, folder_->config(), &notes);
    if (!notes.empty()) log::info("with model.from, {}", fmt::join(notes, ", "));
    side_car_ = folder_->side_car();
  }
  validate_shape(wanted);
  require_one_process(wanted);
  require_data(wanted);
  recipe_ = resolved(wanted);
}

void ModelSource::fill(std::vector<Parameter>& parameters) const {
  if (!folder_) {
    initialise_parameters(parameters, static_cast<uint64_t>(recipe_.trainer.seed));
    return;
  }
  folder_->load(parameters);
  log::info("loaded {} parameters from {}", group_digits(recipe_.model.parameter_count()), folder_->path().string());
}

}  // namespace longhaul
