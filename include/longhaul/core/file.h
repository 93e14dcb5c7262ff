// Files as a training run needs them: mapped for reading, and written so that a reader never sees half of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace longhaul {

// A read-only memory map of a whole file. Empty files map to an empty span.
class MappedFile {
 public:
  MappedFile() = default;
  // Throws UserError when the file is missing or can't be read.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to a temporary name beside `path`; `commit` syncs the data and renames. Without commit the temporary
// file is removed and whatever stood under `path` stays as it was. Errors (disk full, read-only) are
// EnvironmentErrors that name the file and what was being written.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  // Makes what was written durable under the temporary name. `commit` does so itself; files that must appear
  // together are all synced before the first is committed, so that a full disk shows while nothing has changed.
  void sync();
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  uint64_t written_ = 0;
};

// The whole text of a file; UserError when it is missing or can't be read.
std::string read_text(const std::filesystem::path& path);
// Replaces `path` atomically.
void write_text(const std::filesystem::path& path, std::string_view text);
// Makes a rename inside this folder durable.
void sync_folder(const std::filesystem::path& folder);
// create_directories, with an EnvironmentError in plain words.
void make_folder(const std::filesystem::path& folder);

// How to go on where the name of a model's folder is none, as the end of a message: "", or that no shell has replaced
// its ~, or that it looks like a name on the Hugging Face hub, from where nothing is fetched.
std::string hint_for_missing(const std::filesystem::path& folder);

}  // namespace longhaul
