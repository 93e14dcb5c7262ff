// Commented recipe files for a user to start from.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/recipes/recipe.h"

namespace longhaul::cli {

// Based on `recipe`, with the settings that most users change.
std::string starter_file_text(const Recipe& recipe);

// What continued pre-training is told of the model in `folder` (as ModelFolder takes it): rates, and batch, steps and
// what is held out for its size and for `data`, the prefix of a corpus, read `epochs` times. Empty data: a place to
// fill in, and a thousand steps. UserError for data that can't be read, that is of another tokenizer, or that has less
// than a step of tokens.
std::string continued_file_text(const std::string& folder, const std::string& data, int64_t epochs);

}  // namespace longhaul::cli
