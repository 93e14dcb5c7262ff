// The .bin of an indexed dataset, for reading: mapped, or read piece by piece where the system maps no more. Parallel
// file systems have quotas of maps, which blends of hundreds of corpora reach.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "longhaul/core/file.h"

namespace longhaul {

class TokenFile {
 public:
  // Throws UserError when the file is missing or can't be read. A file that can't be mapped is a line in the log, once.
  explicit TokenFile(const std::filesystem::path& path);
  ~TokenFile();
  TokenFile(TokenFile&& other) noexcept;
  TokenFile& operator=(TokenFile&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  size_t size() const { return size_; }
  bool mapped() const { return map_.has_value(); }

  // The bytes [begin, begin + count), which must be in the file: in the map, or in `buffer`. Throws EnvironmentError
  // when they can't be read, or the file has become shorter. Thread-safe.
  std::span<const std::byte> bytes(int64_t begin, size_t count, std::vector<std::byte>& buffer) const;

 private:
  std::filesystem::path path_;
  std::optional<MappedFile> map_;
  int descriptor_ = -1;  // without a map
  size_t size_ = 0;
};

}  // namespace longhaul
