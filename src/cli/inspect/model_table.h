// The lines that describe a model's shape and mathematics.
#pragma once

#include "longhaul/core/table.h"
#include "longhaul/model/model_config.h"

namespace longhaul::cli {

void add_model_lines(TextTable& table, const ModelConfig& model);

}  // namespace longhaul::cli
