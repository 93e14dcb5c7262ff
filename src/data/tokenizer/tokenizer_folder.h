// What the files beside `tokenizer.json` in a checkpoint's folder say about its tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "data/tokenizer/pipeline.h"

namespace longhaul::tokenizer {

// Of the special ids, tokenizer_config.json comes first, and special_tokens_map.json, which overrides it unless
// it is of the newer kind that lists its added tokens; then, for ids that are still unknown,
// generation_config.json and config.json; then a SentencePiece model's own.
struct FolderSettings {
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> pad_id;
  // What tokenizer_config.json says on whether a text gets the two. Where there is a tokenizer.json, what that
  // says counts.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
};

// `folder`/tokenizer.json, or, without that, a SentencePiece model; UserError when there is neither.
std::filesystem::path tokenizer_file(const std::filesystem::path& folder);

// The pipeline of that file, and the special ids that stand in it.
struct FolderTokenizer {
  std::unique_ptr<Pipeline> pipeline;
  FolderSettings settings;
};
FolderTokenizer read_folder_tokenizer(const std::filesystem::path& folder, std::string_view text,
                                      const std::filesystem::path& file);

}  // namespace longhaul::tokenizer
