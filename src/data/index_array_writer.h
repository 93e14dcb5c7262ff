// Makes an IndexArray piece by piece: as a NumPy file that appears whole and is then mapped, so that an array of any
// length takes no memory, or in memory where there is no place for files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "data/index_array.h"

namespace longhaul {

class IndexArrayWriter {
 public:
  // In memory.
  IndexArrayWriter(IndexArray::Type type, int64_t rows, int64_t columns = 1);
  // In a file. Throws EnvironmentError when it can't be made; so do the two functions below.
  IndexArrayWriter(std::filesystem::path file, IndexArray::Type type, int64_t rows, int64_t columns = 1);
  ~IndexArrayWriter();
  IndexArrayWriter(IndexArrayWriter&&) noexcept;

  // The next elements of the flattened array; T must be its type.
  template <typename T>
  void append(std::span<const T> elements) {
    append(index_array_type<T>(), std::as_bytes(elements));
  }
  // The array, once all its elements have been appended. No call but `checksum` may follow.
  IndexArray finish();
  // xxh3 of the elements' bytes so far.
  std::string checksum() const;

 private:
  struct State;
  void append(IndexArray::Type type, std::span<const std::byte> bytes);
  std::unique_ptr<State> state_;
};

}  // namespace longhaul
