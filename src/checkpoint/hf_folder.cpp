#include "longhaul/checkpoint/hf_folder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kCarriedFiles[] = {"generation_config.json",
                                              "tokenizer.json",
                                              "tokenizer_config.json",
                                              "special_tokens_map.json",
                                              "added_tokens.json",
                                              "tokenizer.model",
                                              "vocab.json",
                                              "merges.txt",
                                              "vocab.txt",
                                              "chat_template.jinja",
                                              "chat_template.json"};

json parse_json(const fs::path& file) {
  const std::string text = read_text(file);
  try {
    return read_json_text(text, file.string());
  } catch (const json::parse_error& error) {
    throw UserError(
        "{}: not valid JSON, at byte {} of {}: the file is damaged or cut off; fetch the model's folder again",
        file.string(), std::min<size_t>(error.byte, text.size()), text.size());
  } catch (const json::exception& error) {
    throw UserError("{}: not valid JSON ({}); fetch the model's folder again", file.string(), error.what());
  }
}

[[noreturn]] void no_weights(const fs::path& folder) {
  bool pickled = false;
  std::vector<std::string> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& file = entry.path();
    pickled = pickled || file.extension() == ".bin" || file.extension() == ".pt" || file.extension() == ".pth";
    if (file.extension() == ".safetensors") others.push_back(file.filename().string());
  }
  if (!others.empty()) {
    throw UserError(
        "{}: holds {}, but neither model.safetensors nor model.safetensors.index.json; rename the file, or "
        "fetch the index too",
        folder.string(), fmt::join(others, ", "));
  }
  if (pickled) {
    throw UserError(
        "{}: its weights are pickled (.bin, .pt), which Longhaul does not read because such files can run "
        "code; "
        "convert them: load the model with transformers and call save_pretrained, which writes safetensors",
        folder.string());
  }
  throw UserError("{}: has no model.safetensors and no model.safetensors.index.json; fetch the model's weights",
                  folder.string());
}

}  // namespace

json read_hf_config(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw UserError("{}: no such folder; give the path of a Hugging Face model folder on this machine",
                    folder.string());
  }
  const fs::path file = folder / "config.json";
  if (!fs::exists(file))
    throw UserError("{}: has no config.json, so it is not a Hugging Face model folder", folder.string());
  json config = parse_json(file);
  if (!config.is_object())
    throw UserError("{}: does not hold a JSON object; fetch the model's folder again", file.string());
  return config;
}

std::map<std::string, std::string> read_hf_carried_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto name : kCarriedFiles) {
    if (fs::exists(folder / name)) files.emplace(name, read_text(folder / name));
  }
  return files;
}

HfFolder::HfFolder(fs::path folder) : folder_(std::move(folder)), config_(read_hf_config(folder_)) {
  const fs::path single = folder_ / "model.safetensors", index = folder_ / "model.safetensors.index.json";
  if (fs::exists(single)) {
    if (fs::exists(index)) {
      log::warning(
          "{}: has both model.safetensors and an index of shards; the single file is used, as transformers "
          "does",
          folder_.string());
    }
    open_single(single);
  } else if (fs::exists(index)) {
    open_sharded(index);
  } else {
    no_weights(folder_);
  }
  for (const auto& [key, _] : where_) keys_.push_back(key);
}

void HfFolder::open_single(const fs::path& file) {
  readers_.emplace_back(file);
  for (const auto& entry : readers_[0].entries()) where_.emplace(entry.name, 0);
}

void HfFolder::open_sharded(const fs::path& index_file) {
  const json index = parse_json(index_file);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    throw UserError("{}: has no 'weight_map'; fetch the file again", index_file.string());
  }
  std::map<std::string, size_t> shards;
  for (const auto& [key, value] : map->items()) {
    const std::string name = value.is_string() ? value.get<std::string>() : "";
    if (name.empty() || name.find('/') != std::string::npos || name == "..") {
      throw UserError("{}: 'weight_map.{}' is {}, not the name of a file in the same folder", index_file.string(), key,
                      json_text(value));
    }
    const auto [shard, added] = shards.emplace(name, readers_.size());
    if (added) {
      if (!fs::exists(folder_ / name)) {
        throw UserError("{}: names {}, which is not in the folder; fetch the missing file", index_file.string(), name);
      }
      readers_.emplace_back(folder_ / name);
    }
    if (readers_[shard->second].find(key) == nullptr) {
      throw UserError("{}: has no tensor '{}', though {} says so; fetch both files again", (folder_ / name).string(),
                      key, index_file.filename().string());
    }
    where_.emplace(key, shard->second);
  }
  uint64_t total = 0;
  for (size_t i = 0; i < readers_.size(); ++i) {
    for (const auto& entry : readers_[i].entries()) {
      const auto found = where_.find(entry.name);
      if (found == where_.end() || found->second != i) {
        throw UserError("{}: tensor '{}' is {} {}; fetch both files again", readers_[i].path().string(), entry.name,
                        found == where_.end() ? "missing from" : "said to be in another file by",
                        index_file.filename().string());
      }
      total += entry.bytes.size();
    }
  }
  const auto declared = index.value("/metadata/total_size"_json_pointer, json());
  if (declared.is_number() && declared.get<double>() != static_cast<double>(total)) {
    log::warning("{}: metadata.total_size is {}, but the tensors take {} bytes", index_file.string(),
                 json_text(declared), total);
  }
}

const SafetensorsReader& HfFolder::reader(std::string_view key) const {
  const auto found = where_.find(key);
  if (found == where_.end()) throw UserError("{}: has no tensor '{}'", folder_.string(), key);
  return readers_[found->second];
}

at::ScalarType HfFolder::dtype() const {
  std::map<at::ScalarType, uint64_t> bytes;
  for (const auto& reader : readers_) {
    for (const auto& entry : reader.entries()) {
      if (at::isFloatingType(entry.dtype)) bytes[entry.dtype] += entry.bytes.size();
    }
  }
  if (bytes.empty()) throw UserError("{}: its weight files hold no floating-point tensor", folder_.string());
  return std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

HfSideCar HfFolder::side_car() const {
  return {.config = config_, .dtype = dtype(), .files = read_hf_carried_files(folder_)};
}

}  // namespace longhaul
