#include "longhaul/checkpoint/checkpoint_reader.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "checkpoint/manifest.h"
#include "checkpoint/tensor_slice.h"
#include "longhaul/checkpoint/checkpoint_content.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

constexpr auto kRemedy = "use another checkpoint";

std::unique_ptr<SafetensorsReader> open_file(const fs::path& folder, const CheckpointManifest::File& file) {
  const fs::path path = folder / file.name;
  if (!fs::exists(path))
    throw UserError("{}: missing, though the checkpoint's manifest names it; {}", path.string(), kRemedy);
  const auto bytes = fs::file_size(path);
  if (bytes != file.bytes) {
    throw UserError("{}: {} bytes long, but the checkpoint's manifest says {}; {}", path.string(), bytes, file.bytes,
                    kRemedy);
  }
  auto reader = std::make_unique<SafetensorsReader>(path);
  if (hex64(xxh3(reader->header_bytes())) != file.header_xxh3) {
    throw UserError("{}: its header is damaged (wrong checksum); {}", path.string(), kRemedy);
  }
  return reader;
}

HfSideCar read_side_car(const fs::path& folder, const CheckpointManifest::Hf& hf) {
  HfSideCar side_car{.config = hf.config, .dtype = hf.dtype, .files = {}};
  for (const auto& file : hf.files) {
    const fs::path path = folder / "hf" / file.name;
    std::string bytes = read_text(path);
    if (hex64(xxh3(bytes)) != file.xxh3) throw UserError("{}: damaged (wrong checksum); {}", path.string(), kRemedy);
    side_car.files.emplace(file.name, std::move(bytes));
  }
  return side_car;
}

}  // namespace

struct CheckpointReader::Slice {
  const CheckpointManifest::Tensor* line;
  const SafetensorsReader* file;
  const SafetensorsReader::Entry* entry;
  mutable bool checked = false;
};

CheckpointReader::CheckpointReader(fs::path checkpoint_folder) : folder_(std::move(checkpoint_folder)) {
  if (!fs::is_directory(folder_)) {
    const std::string others = other_checkpoints(folder_);
    throw UserError("{}: no such checkpoint folder; {}", folder_.string(), others.empty() ? "check the path" : others);
  }
  if (!fs::exists(folder_ / "manifest.json")) {
    throw UserError("{}: not a checkpoint: it has no manifest.json; give a folder such as checkpoints/step_00000500",
                    folder_.string());
  }
  manifest_ = std::make_unique<CheckpointManifest>(read_manifest(folder_));
  for (const auto& file : manifest_->files) files_.emplace(file.name, open_file(folder_, file));
  for (const auto& line : manifest_->tensors) {
    const auto file = files_.find(line.file);
    const auto* entry = file == files_.end() ? nullptr : file->second->find(line.key);
    if (entry == nullptr || entry->dtype != line.dtype || entry->shape != line.shape) {
      throw UserError("{}: tensor '{}' is not in {} as the manifest says; {}", folder_.string(), line.name, line.file,
                      kRemedy);
    }
    slices_[line.name].push_back({&line, file->second.get(), entry});
  }
  for (const auto& [name, slices] : slices_) {
    std::vector<Box> boxes;
    for (const auto& slice : slices) boxes.push_back({slice.line->offsets, slice.line->shape});
    if (!cover_exactly(boxes, slices[0].line->global_shape)) {
      throw UserError("{}: the parts of tensor '{}' do not make it whole; {}", folder_.string(), name, kRemedy);
    }
  }
  if (manifest_->hf) hf_ = read_side_car(folder_, *manifest_->hf);
}

CheckpointReader::~CheckpointReader() = default;
CheckpointReader::CheckpointReader(CheckpointReader&&) noexcept = default;
CheckpointReader& CheckpointReader::operator=(CheckpointReader&&) noexcept = default;

int64_t CheckpointReader::step() const {
  return manifest_->step;
}
int64_t CheckpointReader::consumed_samples() const {
  return manifest_->consumed_samples;
}
int64_t CheckpointReader::consumed_tokens() const {
  return manifest_->consumed_tokens;
}
const nlohmann::json& CheckpointReader::config() const {
  return manifest_->config;
}
const nlohmann::json& CheckpointReader::state() const {
  return manifest_->state;
}

std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> result;
  for (const auto& [name, _] : slices_) result.push_back(name);
  return result;
}

bool CheckpointReader::contains(const std::string& name) const {
  return slices_.contains(name);
}
std::vector<int64_t> CheckpointReader::shape(const std::string& name) const {
  return slices(name)[0].line->global_shape;
}
at::ScalarType CheckpointReader::dtype(const std::string& name) const {
  return slices(name)[0].line->dtype;
}

const std::vector<CheckpointReader::Slice>& CheckpointReader::slices(const std::string& name) const {
  const auto found = slices_.find(name);
  if (found == slices_.end()) {
    throw UserError("{}: has no tensor '{}': it was saved by a run of another shape; use a checkpoint of this model",
                    folder_.string(), name);
  }
  return found->second;
}

void CheckpointReader::check_bytes(const Slice& slice) const {
  if (slice.checked) return;
  if (hex64(xxh3(slice.entry->bytes)) != slice.line->xxh3) {
    throw UserError("{}: tensor '{}' is damaged (wrong checksum); {}", slice.file->path().string(), slice.line->name,
                    kRemedy);
  }
  slice.checked = true;
}

at::Tensor CheckpointReader::read(const std::string& name) const {
  at::Tensor result = at::empty(shape(name), at::TensorOptions().dtype(dtype(name)));
  read_into(name, result);
  return result;
}

void CheckpointReader::read_into(const std::string& name, const at::Tensor& target) const {
  const at::NoGradGuard no_grad;
  const std::vector<int64_t> shape = this->shape(name);
  const at::IntArrayRef sizes = target.sizes();
  const bool fits =
      sizes == at::IntArrayRef(shape) || (!shape.empty() && sizes.size() == shape.size() && sizes[0] > shape[0] &&
                                          sizes.slice(1) == at::IntArrayRef(shape).slice(1));
  if (!fits) {
    throw UserError("{}: tensor '{}' is [{}], but [{}] is needed; use a checkpoint of this model", folder_.string(),
                    name, fmt::join(shape, ", "), fmt::join(sizes, ", "));
  }
  read_slice(name, std::vector<int64_t>(shape.size(), 0), shape.empty() ? target : target.narrow(0, 0, shape[0]));
}

void CheckpointReader::read_slice(const std::string& name, const std::vector<int64_t>& offsets,
                                  const at::Tensor& target) const {
  const at::NoGradGuard no_grad;
  const auto& parts = slices(name);
  const std::vector<int64_t>& shape = parts[0].line->global_shape;
  const Box wanted{offsets, target.sizes().vec()};
  bool inside = wanted.shape.size() == shape.size();
  for (size_t d = 0; inside && d < shape.size(); ++d) inside = offsets[d] + wanted.shape[d] <= shape[d];
  if (!inside) {
    throw UserError("{}: tensor '{}' is [{}], but [{}] at [{}] of it is needed; use a checkpoint of this model",
                    folder_.string(), name, fmt::join(shape, ", "), fmt::join(wanted.shape, ", "),
                    fmt::join(offsets, ", "));
  }
  for (const auto& slice : parts) {
    const Box stored{slice.line->offsets, slice.line->shape};
    const Box common = intersection(stored, wanted);
    if (is_empty(common)) continue;
    check_bytes(slice);
    slice_of(target, relative_to(common.offsets, wanted.offsets), common.shape)
        .copy_(slice_of(slice.file->tensor(*slice.entry), relative_to(common.offsets, stored.offsets), common.shape));
  }
}

int64_t CheckpointReader::bytes_read() const {
  int64_t bytes = 0;
  for (const auto& [_, parts] : slices_) {
    for (const auto& slice : parts) {
      if (slice.checked) bytes += static_cast<int64_t>(slice.entry->bytes.size());
    }
  }
  return bytes;
}

void CheckpointReader::verify() const {
  for (const auto& [_, parts] : slices_) {
    for (const auto& slice : parts) check_bytes(slice);
  }
}

ParameterSource CheckpointReader::parameters() const {
  return [this](const std::string& name) { return read(kModelGroup + name); };
}

}  // namespace longhaul
