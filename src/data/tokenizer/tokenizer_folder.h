// What the files beside `tokenizer.json` in a checkpoint's folder say about its tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "data/tokenizer/pipeline.h"

namespace longhaul::tokenizer {

struct FolderSettings {
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> pad_id;
  // What tokenizer_config.json says on whether a text gets the two. What counts is tokenizer.json.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
};

// `folder`/tokenizer.json; UserError when it isn't there.
std::filesystem::path tokenizer_file(const std::filesystem::path& folder);

// Reads tokenizer_config.json; special_tokens_map.json, which overrides it unless it is of the newer kind
// that lists its added tokens; then, for ids that are still unknown, generation_config.json and config.json.
FolderSettings read_folder_settings(const std::filesystem::path& folder, const Pipeline& pipeline);

}  // namespace longhaul::tokenizer
