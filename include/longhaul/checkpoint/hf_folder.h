// A Hugging Face model folder: config.json, the weights in one or several safetensors files, and the
// tokenizer's files.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "longhaul/checkpoint/safetensors_reader.h"

namespace longhaul {

// What travels with the weights from import to export, so that a checkpoint can be exported on its own. A
// model trained from scratch may fill it in itself: `config` with {"bos_token_id": …, "eos_token_id": …},
// `files` with its tokenizer.
struct HfSideCar {
  nlohmann::json config;                     // the source's config.json; null when there is none
  at::ScalarType dtype = at::kBFloat16;      // of the source's weights
  std::map<std::string, std::string> files;  // tokenizer and generation files, byte for byte
};

class HfFolder {
 public:
  // Reads config.json and the headers of all weight files. UserError when the folder lacks one of them, when
  // the index and the files disagree, or when a file is damaged. Folders with pickled weights alone are
  // refused.
  explicit HfFolder(std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  const nlohmann::json& config() const { return config_; }

  // Keys of all weight tensors, sorted.
  const std::vector<std::string>& keys() const { return keys_; }
  bool contains(std::string_view key) const { return where_.find(key) != where_.end(); }
  const SafetensorsReader::Entry& entry(std::string_view key) const { return reader(key).at(key); }
  at::Tensor tensor(std::string_view key) const { return reader(key).tensor(key); }  // a read-only view of the file
  const std::filesystem::path& file_of(std::string_view key) const { return reader(key).path(); }

  // The type that most of the weights' bytes have.
  at::ScalarType dtype() const;
  HfSideCar side_car() const;

 private:
  const SafetensorsReader& reader(std::string_view key) const;
  void open_single(const std::filesystem::path& file);
  void open_sharded(const std::filesystem::path& index_file);

  std::filesystem::path folder_;
  nlohmann::json config_;
  std::vector<SafetensorsReader> readers_;
  std::map<std::string, size_t, std::less<>> where_;  // key -> reader
  std::vector<std::string> keys_;
};

// A folder's config.json alone. UserError when it is missing or not a JSON object.
nlohmann::json read_hf_config(const std::filesystem::path& folder);
// The tokenizer and generation files of a folder, name -> bytes; empty when it has none.
std::map<std::string, std::string> read_hf_carried_files(const std::filesystem::path& folder);

}  // namespace longhaul
