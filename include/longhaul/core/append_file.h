// A file that grows at its end over several lives of a program: what was written after the last size that was noted
// down is cut off when the file is opened again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace longhaul {

class AppendFile {
 public:
  // Opens the file, or makes it, and cuts it to `size` bytes. Throws EnvironmentError when it is shorter, or when it
  // can't be written.
  explicit AppendFile(std::filesystem::path path, int64_t size = 0);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Appends, through a buffer of 1 MiB. Errors (disk full) are EnvironmentErrors that name the file.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  // Makes all that was written durable.
  void sync();

  // Bytes, those in the buffer included.
  int64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  void flush();

  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace longhaul
