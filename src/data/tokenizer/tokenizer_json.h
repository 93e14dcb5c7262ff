// Builds a tokenizer's components from the text of `tokenizer.json`. A component that Longhaul doesn't know
// is a UserError that names it: text would be cut otherwise than the model was trained on.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "data/tokenizer/pipeline.h"

namespace longhaul::tokenizer {

std::unique_ptr<Pipeline> read_pipeline(std::string_view json, const std::filesystem::path& file);

}  // namespace longhaul::tokenizer
