// Reads training checkpoints. Every tensor is checked against its checksum before it is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/checkpoint/hf_folder.h"

namespace longhaul {

struct CheckpointManifest;

class CheckpointReader {
 public:
  // Reads the manifest and the headers of all files. UserError that names the file, or the tensor, when
  // something is missing or damaged.
  explicit CheckpointReader(std::filesystem::path checkpoint_folder);
  ~CheckpointReader();
  CheckpointReader(CheckpointReader&&) noexcept;
  CheckpointReader& operator=(CheckpointReader&&) noexcept;

  const std::filesystem::path& path() const { return folder_; }
  int64_t step() const;
  int64_t consumed_samples() const;
  int64_t consumed_tokens() const;
  const nlohmann::json& config() const;
  const nlohmann::json& state() const;
  const std::optional<HfSideCar>& hf() const { return hf_; }

  std::vector<std::string> names() const;  // "group/name", sorted
  bool contains(const std::string& name) const;
  std::vector<int64_t> shape(const std::string& name) const;  // global
  at::ScalarType dtype(const std::string& name) const;

  // The whole tensor, on the CPU, put together from its slices. UserError when it is missing or its bytes are
  // damaged.
  at::Tensor read(const std::string& name) const;
  // Into `target`, of the same shape (its first dimension may be longer: those rows are not touched), any
  // type or device.
  void read_into(const std::string& name, const at::Tensor& target) const;

  // The rectangle at `offsets`, of the shape of `target`, into `target`, from whatever slices the checkpoint has.
  void read_slice(const std::string& name, const std::vector<int64_t>& offsets, const at::Tensor& target) const;

  // What was read so far, whole slices at a time, since a checksum is a slice's.
  int64_t bytes_read() const;

  // Checks every byte. UserError that names the first damaged tensor. What is checked once is not checked
  // again.
  void verify() const;

  // The master weights, for export_hf. The reader must outlive it.
  ParameterSource parameters() const;

 private:
  struct Slice;
  const std::vector<Slice>& slices(const std::string& name) const;
  void check_bytes(const Slice& slice) const;

  std::filesystem::path folder_;
  std::unique_ptr<CheckpointManifest> manifest_;
  std::map<std::string, std::unique_ptr<SafetensorsReader>> files_;
  std::map<std::string, std::vector<Slice>> slices_;
  std::optional<HfSideCar> hf_;
};

struct CheckpointPlace {
  int64_t step;
  std::filesystem::path path;
};

// The checkpoints of a run, by step. Empty when it has none.
std::vector<CheckpointPlace> list_checkpoints(const std::filesystem::path& run_folder);

// For a folder that isn't there: where its name is a checkpoint's of a run that has others, which these are and why it
// may be gone, for an error message. Else "".
std::string other_checkpoints(const std::filesystem::path& missing);

// The checkpoint that `latest` names, verified. If it is damaged or missing, the newest that is good, with a
// warning that says what was wrong. Nothing when the run has no checkpoint; UserError when it has some and
// none is good.
std::optional<CheckpointReader> find_latest(const std::filesystem::path& run_folder);

}  // namespace longhaul
