// The integer arrays of a dataset's order: built in memory, or mapped from a cached NumPy file (format 1.0,
// little-endian, C order), so that many processes of a machine share one copy.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "longhaul/core/file.h"

namespace longhaul {

class IndexArray {
 public:
  enum class Type { int16, int32, uint32, int64 };  // <i2, <i4, <u4, <i8

  IndexArray() = default;
  IndexArray(std::vector<int16_t> values) : IndexArray(Type::int16, std::move(values), 1) {}
  IndexArray(std::vector<int32_t> values, int64_t columns = 1)
      : IndexArray(Type::int32, std::move(values), columns) {}
  IndexArray(std::vector<uint32_t> values) : IndexArray(Type::uint32, std::move(values), 1) {}
  IndexArray(std::vector<int64_t> values, int64_t columns = 1)
      : IndexArray(Type::int64, std::move(values), columns) {}

  // Maps a file that `save` or NumPy wrote. Throws UserError when its header or size is not as it should be.
  static IndexArray load(const std::filesystem::path& file);
  // Writes the file, atomically. Throws EnvironmentError.
  void save(const std::filesystem::path& file) const;

  Type type() const { return type_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  // The element at `i` of the flattened array.
  int64_t operator[](int64_t i) const {
    switch (type_) {
      case Type::int16:
        return element<int16_t>(i);
      case Type::int32:
        return element<int32_t>(i);
      case Type::uint32:
        return element<uint32_t>(i);
      case Type::int64:
        break;
    }
    return element<int64_t>(i);
  }

 private:
  template <typename T>
  IndexArray(Type type, std::vector<T> values, int64_t columns)
      : type_(type), rows_(static_cast<int64_t>(values.size()) / columns), columns_(columns) {
    auto owned = std::make_shared<std::vector<T>>(std::move(values));
    bytes_ = std::as_bytes(std::span(*owned));
    owner_ = std::move(owned);
  }
  template <typename T>
  T element(int64_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }

  Type type_ = Type::int64;
  int64_t rows_ = 0;
  int64_t columns_ = 1;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;  // the vector or the mapped file
};

}  // namespace longhaul
