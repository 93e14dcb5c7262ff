#include "longhaul/checkpoint/checkpoint_writer.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "checkpoint/checkpoint_folders.h"
#include "checkpoint/folder_swap.h"
#include "checkpoint/manifest.h"
#include "checkpoint/tensor_slice.h"
#include "longhaul/checkpoint/safetensors_writer.h"
#include "longhaul/comm/exchange.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "ops/pinned_memory.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

using ManifestTensor = CheckpointManifest::Tensor;

// A tensor of the content, and the manifest's line about it.
struct Planned {
  const NamedTensor* source;
  ManifestTensor line;
};

std::vector<int64_t> or_zeros(const std::vector<int64_t>& offsets, size_t dimensions) {
  return offsets.empty() ? std::vector<int64_t>(dimensions, 0) : offsets;
}

// The manifest's lines without checksums.
std::vector<Planned> plan_tensors(const CheckpointContent& content) {
  std::vector<Planned> planned;
  planned.reserve(content.tensors.size());
  for (const auto& tensor : content.tensors) {
    LONGHAUL_CHECK(tensor.value.defined(), "checkpoint tensor {} is undefined", tensor.name);
    ManifestTensor line{.name = tensor.name,
                        .file = {},
                        .key = split_group(tensor.name).name,
                        .dtype = tensor.value.scalar_type(),
                        .shape = tensor.value.sizes().vec(),
                        .global_shape = tensor.global_shape,
                        .offsets = {},
                        .xxh3 = {}};
    if (line.global_shape.empty()) line.global_shape = line.shape;
    line.offsets = or_zeros(tensor.offsets, line.shape.size());
    if (line.shape != line.global_shape) line.key += fmt::format("@{}", fmt::join(line.offsets, ","));
    planned.push_back({&tensor, std::move(line)});
  }
  return planned;
}

// Every name's slices, of all ranks, must cover it.
void check_cover(const std::vector<ManifestTensor>& tensors) {
  std::map<std::string, std::vector<const ManifestTensor*>> by_name;
  for (const auto& tensor : tensors) by_name[tensor.name].push_back(&tensor);
  for (const auto& [name, lines] : by_name) {
    std::vector<Box> boxes;
    for (const auto* line : lines) {
      LONGHAUL_CHECK(line->global_shape == lines[0]->global_shape && line->dtype == lines[0]->dtype,
                     "slices of checkpoint tensor {} disagree", name);
      boxes.push_back({line->offsets, line->shape});
    }
    LONGHAUL_CHECK(cover_exactly(boxes, lines[0]->global_shape), "slices of checkpoint tensor {} do not cover it",
                   name);
  }
}

// Fills in the lines' files: a group's tensors go, in order, into files of at most `limit` bytes.
// `mark` sets this rank's files apart.
std::vector<std::vector<Planned*>> plan_files(std::vector<Planned>& planned, int64_t limit, const std::string& mark) {
  struct Open {
    size_t file = 0;
    int64_t bytes = 0;
    int count = 0;
  };
  std::vector<std::vector<Planned*>> files;
  std::map<std::string, Open> groups;
  for (auto& tensor : planned) {
    const std::string group = split_group(tensor.line.name).group;
    Open& open = groups[group];
    const auto bytes = static_cast<int64_t>(tensor.source->value.nbytes());
    if (open.count == 0 || (open.bytes > 0 && open.bytes + bytes > limit)) {
      open = {.file = files.size(), .bytes = 0, .count = open.count + 1};
      files.emplace_back();
    }
    open.bytes += bytes;
    tensor.line.file = fmt::format("{}-{}{:05}.safetensors", group, mark, open.count);
    files[open.file].push_back(&tensor);
  }
  return files;
}

CheckpointManifest::File write_file(const fs::path& folder, const std::vector<Planned*>& tensors) {
  std::vector<TensorDeclaration> declarations;
  std::unordered_map<std::string, Planned*> by_key;
  for (Planned* tensor : tensors) {
    declarations.push_back({tensor->line.key, tensor->line.dtype, tensor->line.shape});
    by_key.emplace(tensor->line.key, tensor);
  }
  const std::string& name = tensors[0]->line.file;
  SafetensorsWriter writer(folder / name, std::move(declarations));
  uint64_t bytes = writer.header().size();
  for (const auto& declaration : writer.order()) {
    Planned& tensor = *by_key.at(declaration.name);
    Xxh3 checksum;
    writer.write(tensor.source->value, &checksum);
    tensor.line.xxh3 = hex64(checksum.value());
    bytes += declaration.bytes();
  }
  writer.finish();
  return {name, bytes, hex64(xxh3(writer.header()))};
}

CheckpointManifest::Hf write_hf(const fs::path& folder, const HfSideCar& side_car) {
  CheckpointManifest::Hf hf{.config = side_car.config, .dtype = side_car.dtype, .files = {}};
  if (side_car.files.empty()) return hf;
  make_folder(folder / "hf");
  for (const auto& [name, bytes] : side_car.files) {
    write_text(folder / "hf" / name, bytes);
    hf.files.push_back({name, hex64(xxh3(bytes))});
  }
  return hf;
}

// This rank's files, and what the manifest says of them.
CheckpointManifest write_files(const fs::path& folder, const CheckpointContent& content, int64_t file_bytes,
                               const std::string& mark) {
  CheckpointManifest part;
  std::vector<Planned> planned = plan_tensors(content);
  for (const auto& tensors : plan_files(planned, file_bytes, mark)) part.files.push_back(write_file(folder, tensors));
  for (auto& tensor : planned) part.tensors.push_back(std::move(tensor.line));
  return part;
}

// A collective call over `ranks`; the first of them makes the folder, the manifest, and the rename.
void write_folder(const fs::path& folder, const CheckpointContent& content, int64_t file_bytes,
                  comm::Communicator* ranks) {
  const auto start = std::chrono::steady_clock::now();
  const at::NoGradGuard no_grad;
  const bool leads = comm::leads(ranks);
  std::optional<FolderSwap> swap;
  comm::all_or_none(ranks, [&] {
    if (leads) swap.emplace(folder);
  });
  const fs::path place = comm::text_of_leader(ranks, swap ? swap->path().string() : "");
  CheckpointManifest part;
  comm::all_or_none(ranks, [&] {
    part = write_files(place, content, file_bytes, ranks != nullptr ? fmt::format("rank{:04}-", ranks->rank()) : "");
  });
  const std::vector<std::string> parts = comm::all_gather_text(ranks, ranks != nullptr ? manifest_text(part) : "");
  comm::all_or_none(ranks, [&] {
    if (!leads) return;
    CheckpointManifest manifest = std::move(part);
    for (size_t rank = 1; rank < parts.size(); ++rank) {
      CheckpointManifest other = parse_manifest(parts[rank]);
      std::move(other.files.begin(), other.files.end(), std::back_inserter(manifest.files));
      std::move(other.tensors.begin(), other.tensors.end(), std::back_inserter(manifest.tensors));
    }
    check_cover(manifest.tensors);
    manifest.step = content.step;
    manifest.consumed_samples = content.consumed_samples;
    manifest.consumed_tokens = content.consumed_tokens;
    manifest.config = content.config;
    manifest.state = content.state;
    if (content.hf) manifest.hf = write_hf(place, *content.hf);
    write_manifest(place, manifest);
    swap->commit();
    uint64_t total = 0;
    for (const auto& file : manifest.files) total += file.bytes;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    log::info("saved {} ({} in {:.1f} s)", folder.string(), format_bytes(static_cast<double>(total)), seconds.count());
  });
}

void write_run_checkpoint(const fs::path& checkpoints, const CheckpointOptions& options,
                          const CheckpointContent& content, comm::Communicator* ranks) {
  const std::string name = step_folder_name(content.step);
  write_folder(checkpoints / name, content, options.file_bytes, ranks);
  comm::all_or_none(ranks, [&] {
    if (!comm::leads(ranks)) return;
    write_text(latest_file(checkpoints), name + "\n");
    apply_retention(checkpoints, options.keep_last, options.keep_every, content.step);
  });
}

}  // namespace

void write_checkpoint_folder(const fs::path& folder, const CheckpointContent& content, int64_t file_bytes) {
  write_folder(folder, content, file_bytes, nullptr);
}

CheckpointWriter::CheckpointWriter(fs::path run_folder, CheckpointOptions options)
    : folder_(checkpoints_folder(run_folder)),
      options_(options),
      ranks_(options.ranks != nullptr ? options.ranks->split(0, "checkpoint") : nullptr) {
  comm::all_or_none(ranks_.get(), [&] {
    if (!comm::leads(ranks_.get())) return;
    make_folder(folder_);
    clear_leftovers(folder_);
  });
}

CheckpointWriter::~CheckpointWriter() {
  try {
    wait();
  } catch (const std::exception& error) {
    log::error("the last checkpoint was not saved: {}", error.what());
  }
}

void CheckpointWriter::save(const CheckpointContent& content) {
  settle();
  write_run_checkpoint(folder_, options_, content, ranks_.get());
}

void CheckpointWriter::save_async(CheckpointContent content) {
  settle();
  snapshot(content);
  pending_ = std::async(std::launch::async, [this, content = std::move(content)] {
    write_run_checkpoint(folder_, options_, content, ranks_.get());
  });
}

void CheckpointWriter::wait() {
  if (pending_.valid()) pending_.get();
}

void CheckpointWriter::poll() {
  if (pending_.valid() && pending_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) settle();
}

// Waits for the save under way; its error becomes a warning.
void CheckpointWriter::settle() {
  try {
    wait();
  } catch (const std::exception& error) {
    log::warning_here("a checkpoint was not saved: {}. The next save tries anew", error.what());
  }
}

// Replaces every tensor by its copy in a host buffer. Buffers of tensors that are gone are freed.
void CheckpointWriter::snapshot(CheckpointContent& content) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> kept;
  std::optional<c10::Device> device;
  for (auto& tensor : content.tensors) {
    const std::string key = fmt::format("{}@{}", tensor.name, fmt::join(tensor.offsets, ","));
    auto old = buffers_.extract(key);
    at::Tensor buffer = old ? std::move(old.mapped()) : at::Tensor();
    const at::Tensor& value = tensor.value;
    if (!buffer.defined() || buffer.scalar_type() != value.scalar_type() || buffer.sizes() != value.sizes()) {
      buffer = ops::pinned_tensor(value.sizes(), value.scalar_type(), value.device());
    }
    buffer.copy_(value.detach(), /*non_blocking=*/true);
    if (value.is_cuda()) device = value.device();
    tensor.value = buffer;
    kept.emplace(key, std::move(buffer));
  }
  if (device) {  // one wait for all copies
    const c10::impl::VirtualGuardImpl guard(device->type());
    guard.synchronizeStream(guard.getStream(*device));
  }
  buffers_ = std::move(kept);
}

}  // namespace longhaul
