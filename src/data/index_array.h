// The integer arrays of a dataset's order: in memory, or mapped from a cached NumPy file (format 1.0, little-endian, C
// order), so that many processes of a machine share one copy. IndexArrayWriter makes them.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "longhaul/core/file.h"

namespace longhaul {

class IndexArray {
 public:
  enum class Type { int16, int32, uint32, int64, uint64 };  // <i2, <i4, <u4, <i8, <u8

  IndexArray() = default;
  // In memory: `bytes` are rows · columns elements.
  IndexArray(Type type, int64_t rows, int64_t columns, std::vector<std::byte> bytes);

  // Maps a file that IndexArrayWriter or NumPy wrote. Throws UserError when its header or size is not as it should be.
  static IndexArray load(const std::filesystem::path& file);

  Type type() const { return type_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  // The element at `i` of the flattened array; those of uint64 are below 2^63.
  int64_t operator[](int64_t i) const {
    switch (type_) {
      case Type::int16:
        return element<int16_t>(i);
      case Type::int32:
        return element<int32_t>(i);
      case Type::uint32:
        return element<uint32_t>(i);
      case Type::int64:
      case Type::uint64:
        break;
    }
    return element<int64_t>(i);
  }

 private:
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

// The array type whose elements are T.
template <typename T>
constexpr IndexArray::Type index_array_type() {
  if constexpr (std::is_same_v<T, int16_t>) return IndexArray::Type::int16;
  if constexpr (std::is_same_v<T, int32_t>) return IndexArray::Type::int32;
  if constexpr (std::is_same_v<T, uint32_t>) return IndexArray::Type::uint32;
  if constexpr (std::is_same_v<T, int64_t>) return IndexArray::Type::int64;
  if constexpr (std::is_same_v<T, uint64_t>) return IndexArray::Type::uint64;
}
// Bytes of an element.
int64_t index_array_bytes(IndexArray::Type type);
// What stands before the elements in NumPy's file.
std::string numpy_header(IndexArray::Type type, int64_t rows, int64_t columns);

}  // namespace longhaul
