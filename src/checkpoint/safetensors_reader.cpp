#include "longhaul/checkpoint/safetensors_reader.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <bit>
#include <cstring>
#include <utility>

#include "checkpoint/safetensors_header.h"
#include "longhaul/core/error.h"

namespace longhaul {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian, and so is Longhaul");

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(std::make_shared<MappedFile>(path)) {
  SafetensorsHeader header = read_safetensors_header(*file_);
  data_begin_ = header.data_begin;
  const auto data = file_->bytes().subspan(data_begin_);
  metadata_ = std::move(header.metadata);
  entries_.reserve(header.tensors.size());
  for (auto& tensor : header.tensors) {
    const auto bytes = data.subspan(tensor.begin, tensor.end - tensor.begin);
    entries_.push_back({std::move(tensor.name), tensor.dtype, std::move(tensor.shape), bytes});
  }
  for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].name, i);
}

const SafetensorsReader::Entry* SafetensorsReader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

const SafetensorsReader::Entry& SafetensorsReader::at(std::string_view name) const {
  const Entry* entry = find(name);
  if (entry == nullptr) throw UserError("{}: has no tensor '{}'", path().string(), name);
  return *entry;
}

at::Tensor SafetensorsReader::tensor(const Entry& entry) const {
  const auto options = at::TensorOptions().dtype(entry.dtype);
  void* data = const_cast<std::byte*>(entry.bytes.data());
  if (entry.bytes.empty()) return at::empty(entry.shape, options);
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(entry.dtype) == 0) {
    return at::from_blob(
        data, entry.shape, [keep = file_](void*) {}, options);
  }
  at::Tensor copy = at::empty(entry.shape, options);
  std::memcpy(copy.mutable_data_ptr(), data, entry.bytes.size());
  return copy;
}

}  // namespace longhaul
