// SentencePiece's own files (tokenizer.model, spiece.model), for folders that have nothing newer: translated
// into what tokenizer.json would say, as the `transformers` library does it where it knows no more about a model
// than this file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace longhaul::tokenizer {

// What stands beside the file, in tokenizer_config.json.
struct SentencePieceSettings {
  bool add_bos = false;
  bool add_eos = false;
  bool prefix_everywhere = true;  // a space before each text between added tokens, not only before the first
};

struct SentencePieceModel {
  nlohmann::json tokenizer_json;
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> pad_id;
};

// Throws UserError when the file is damaged, or its model is neither Unigram nor BPE.
SentencePieceModel read_sentencepiece_model(std::string_view bytes, const SentencePieceSettings& settings,
                                            const std::filesystem::path& file);

}  // namespace longhaul::tokenizer
