#include "checkpoint/manifest.h"

#include <string_view>

#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr auto kFormat = "longhaul-checkpoint";

at::ScalarType read_dtype(const json& value) {
  const auto dtype = safetensors_dtype(value.get_ref<const std::string&>());
  if (!dtype) throw UserError("manifest.json: unknown dtype {}; use a newer program", json_text(value));
  return *dtype;
}

// The name of a file within the checkpoint's own folder. A path could lead out of it, when reading and when an export
// writes the files that the checkpoint carries.
std::string plain_name(const json& value) {
  const auto& name = value.get_ref<const std::string&>();
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
    throw UserError("manifest.json: {} is not a plain file name; use a checkpoint that you trust", json_text(value));
  }
  return name;
}

json to_json(const CheckpointManifest& manifest) {
  json root{{"format", kFormat},
            {"version", CheckpointManifest::kVersion},
            {"step", manifest.step},
            {"consumed_samples", manifest.consumed_samples},
            {"consumed_tokens", manifest.consumed_tokens},
            {"config", manifest.config},
            {"state", manifest.state},
            {"hf", nullptr},
            {"files", json::array()},
            {"tensors", json::array()}};
  for (const auto& file : manifest.files) {
    root["files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"header_xxh3", file.header_xxh3}});
  }
  for (const auto& tensor : manifest.tensors) {
    root["tensors"].push_back({{"name", tensor.name},
                               {"file", tensor.file},
                               {"key", tensor.key},
                               {"dtype", safetensors_name(tensor.dtype)},
                               {"shape", tensor.shape},
                               {"global_shape", tensor.global_shape},
                               {"offsets", tensor.offsets},
                               {"xxh3", tensor.xxh3}});
  }
  if (manifest.hf) {
    json files = json::array();
    for (const auto& file : manifest.hf->files) files.push_back({{"name", file.name}, {"xxh3", file.xxh3}});
    root["hf"] = {{"config", manifest.hf->config}, {"dtype", safetensors_name(manifest.hf->dtype)}, {"files", files}};
  }
  return root;
}

CheckpointManifest from_json(const json& root) {
  CheckpointManifest manifest;
  root.at("step").get_to(manifest.step);
  root.at("consumed_samples").get_to(manifest.consumed_samples);
  root.at("consumed_tokens").get_to(manifest.consumed_tokens);
  manifest.config = root.at("config");
  manifest.state = root.at("state");
  for (const auto& file : root.at("files")) {
    manifest.files.push_back({plain_name(file.at("name")), file.at("bytes"), file.at("header_xxh3")});
  }
  for (const auto& tensor : root.at("tensors")) {
    manifest.tensors.push_back({tensor.at("name"), plain_name(tensor.at("file")), tensor.at("key"),
                                read_dtype(tensor.at("dtype")), tensor.at("shape"), tensor.at("global_shape"),
                                tensor.at("offsets"), tensor.at("xxh3")});
  }
  if (const json& hf = root.at("hf"); !hf.is_null()) {
    manifest.hf = {.config = hf.at("config"), .dtype = read_dtype(hf.at("dtype")), .files = {}};
    for (const auto& file : hf.at("files"))
      manifest.hf->files.push_back({plain_name(file.at("name")), file.at("xxh3")});
  }
  return manifest;
}

}  // namespace

std::string manifest_text(const CheckpointManifest& manifest) {
  return json_text(to_json(manifest), 1) + "\n";
}

CheckpointManifest parse_manifest(const std::string& text) {
  return from_json(read_json_text(text, "manifest.json"));
}

void write_manifest(const fs::path& folder, const CheckpointManifest& manifest) {
  const std::string text = manifest_text(manifest);
  write_text(folder / "manifest.json", text);
  write_text(folder / "manifest.xxh3", hex64(xxh3(text)) + "\n");
}

CheckpointManifest read_manifest(const fs::path& folder) {
  const fs::path file = folder / "manifest.json", checksum = folder / "manifest.xxh3";
  const std::string text = read_text(file);
  if (read_text(checksum) != hex64(xxh3(text)) + "\n") {
    throw UserError("{}: its bytes do not match {}: one of the two is damaged; use another checkpoint", file.string(),
                    checksum.filename().string());
  }
  try {
    const json root = read_json_text(text, file.string());
    if (root.at("format") != json(kFormat)) throw UserError("{}: not a checkpoint's manifest", file.string());
    if (root.at("version").get<int>() > CheckpointManifest::kVersion) {
      throw UserError("{}: format version {}, but this program reads up to {}; use a newer program", file.string(),
                      json_text(root.at("version")), CheckpointManifest::kVersion);
    }
    return from_json(root);
  } catch (const json::exception& error) {
    throw UserError("{}: not a checkpoint's manifest ({}); use another checkpoint", file.string(), error.what());
  }
}

}  // namespace longhaul
