// Reads a safetensors file through a memory map.
//
//   u64 N (little-endian) | N bytes of JSON: name -> {dtype, shape, data_offsets} | the tensors' bytes
//
// Opening reads the header only and enforces every rule of the format: the ranges must tile the data exactly,
// each as long as its shape says. So what a tensor's bytes are is never in doubt later.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhaul/core/file.h"

namespace longhaul {

class SafetensorsReader {
 public:
  struct Entry {
    std::string name;
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    // Row-major, little-endian; valid while the reader or a view of it lives.
    std::span<const std::byte> bytes;
  };

  // UserError that names the file and the tensor when the file breaks a rule.
  explicit SafetensorsReader(const std::filesystem::path& path);
  SafetensorsReader(SafetensorsReader&&) noexcept = default;
  SafetensorsReader& operator=(SafetensorsReader&&) noexcept = default;

  const std::filesystem::path& path() const { return file_->path(); }
  const std::vector<Entry>& entries() const { return entries_; }  // in the order of their bytes
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // The length and the JSON, as they stand in the file.
  std::span<const std::byte> header_bytes() const { return file_->bytes().first(data_begin_); }

  const Entry* find(std::string_view name) const;  // null when there is no such tensor
  const Entry& at(std::string_view name) const;    // UserError when there is none

  // A read-only view of the mapped file (it keeps the map alive), or a copy where the bytes are not aligned
  // for the type. Writing to a view is a fault: clone it first.
  at::Tensor tensor(std::string_view name) const { return tensor(at(name)); }
  at::Tensor tensor(const Entry& entry) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  size_t data_begin_ = 0;
  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, size_t> index_;  // views of entries_' names
  std::map<std::string, std::string> metadata_;
};

}  // namespace longhaul
