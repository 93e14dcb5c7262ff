// manifest.json: what a checkpoint's files hold. Beside it, manifest.xxh3 is the checksum of its bytes; the
// manifest has the checksums of everything else.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace longhaul {

struct CheckpointManifest {
  static constexpr int kVersion = 1;

  struct Tensor {
    std::string name;  // "group/name"
    std::string file;
    std::string key;  // in the file
    at::ScalarType dtype;
    std::vector<int64_t> shape, global_shape, offsets;
    std::string xxh3;  // of the bytes
  };
  struct File {
    std::string name;
    uint64_t bytes;
    std::string header_xxh3;
  };
  struct HfFile {
    std::string name;
    std::string xxh3;
  };
  struct Hf {
    nlohmann::json config;
    at::ScalarType dtype;
    std::vector<HfFile> files;
  };

  int64_t step = 0, consumed_samples = 0, consumed_tokens = 0;
  std::vector<File> files;
  std::vector<Tensor> tensors;
  nlohmann::json config, state;
  std::optional<Hf> hf;
};

// As JSON, and back: how ranks tell each other what they wrote.
std::string manifest_text(const CheckpointManifest& manifest);
CheckpointManifest parse_manifest(const std::string& text);

void write_manifest(const std::filesystem::path& folder, const CheckpointManifest& manifest);
// UserError that names the file when it is missing, damaged, or of a newer version.
CheckpointManifest read_manifest(const std::filesystem::path& folder);

}  // namespace longhaul
