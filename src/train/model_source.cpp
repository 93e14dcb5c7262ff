#include "train/model_source.h"

#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/core/log.h"
#include "longhaul/model/family.h"

namespace longhaul {

ModelSource::ModelSource(const Recipe& recipe) {
  Recipe wanted = recipe;
  if (!recipe.model.from.empty()) {
    folder_ = std::make_unique<const HfFolder>(recipe.model.from);
    const ModelFamily& family = family_of_hf_config(folder_->config());
    wanted.model = continue_from(recipe.model, family.read_config(folder_->config()));
    side_car_ = folder_->side_car();
  }
  require_one_process(wanted);
  recipe_ = resolved(wanted);
}

bool ModelSource::load_weights(std::vector<Parameter>& parameters) const {
  if (!folder_) return false;
  const auto report = load_hf_weights(*folder_, family(recipe_.model.family), recipe_.model, parameters);
  log::info("loaded {} parameters from {}", recipe_.model.parameter_count(), folder_->path().string());
  if (report.zero_embedding_rows > 0) {
    log::warning("{} rows of the token embedding are zero: tokens that were never trained. If the text uses one (often "
                 "the end-of-document token), its first gradients are very large",
                 report.zero_embedding_rows);
  }
  return true;
}

}  // namespace longhaul
