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
  // Whether a text gets the two; nullopt: tokenizer_config.json doesn't say, so what tokenizer.json does holds.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
};

// `folder`/tokenizer.json; UserError when it isn't there.
std::filesystem::path tokenizer_file(const std::filesystem::path& folder);

// Reads tokenizer_config.json; special_tokens_map.json, which overrides it unless it is of the newer kind that lists
// its added tokens; then, for ids that are still unknown, generation_config.json and config.json.
FolderSettings read_folder_settings(const std::filesystem::path& folder, const Pipeline& pipeline);

// If add_bos or add_eos is set, the two replace whatever the post-processor puts around a text.
void apply_folder_settings(const FolderSettings& settings, Pipeline& pipeline);

}  // namespace longhaul::tokenizer
