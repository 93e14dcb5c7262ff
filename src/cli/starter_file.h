// Commented recipe files for a user to start from.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/recipes/recipe.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {

// Based on `recipe`, with the settings that most users change.
std::string starter_file_text(const Recipe& recipe);

// What continued pre-training from `model` is told: rates, steps and batch for its size and for `data`, as data.train
// takes it, read `epochs` times. Empty data: a place to fill in, and a thousand steps. UserError for data that can't be
// read, or that has less than a step of tokens.
std::string continued_file_text(const ModelFolder& model, const std::string& data, int64_t epochs);

}  // namespace longhaul::cli
