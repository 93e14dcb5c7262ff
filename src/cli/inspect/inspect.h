// What `llm-pretrain inspect` shows of each kind of thing. Each function prints, and throws UserError that
// says what is damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longhaul::cli {

struct InspectOptions {
  bool read_bytes = true;  // read all weights: checksums, values that are no numbers
  bool tensors = false;    // list every tensor
};

void inspect_hf_folder(const std::filesystem::path& folder, const InspectOptions& options);
void inspect_tokenizer(const std::filesystem::path& folder);
void inspect_checkpoint(const std::filesystem::path& folder, const InspectOptions& options);
void inspect_safetensors(const std::filesystem::path& file);
void inspect_run(const std::filesystem::path& folder);

// "BPE of bytes", "BPE with byte fallback", …: what tokenizer.json says of its model.
std::string tokenizer_kind(const std::filesystem::path& folder);
// "128 x 64"; "scalar" without dimensions.
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace longhaul::cli
