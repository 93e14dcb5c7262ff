#pragma once

#include <span>
#include <string>

#include "longhaul/model/model_config.h"

namespace longhaul {

// With model.from the model is what the checkpoint says, whatever the recipe says. Throws UserError for a key below
// `model` that was given on purpose (model_keys_given_with_from) and would be ignored, because the checkpoint says
// otherwise. A 0 that stands for "derive it" is no such value.
void refuse_ignored_model_keys(const ModelConfig& recipe, std::span<const std::string> keys);

}  // namespace longhaul
