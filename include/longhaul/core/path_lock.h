// An exclusive lock on a file or a folder, between processes and within one. It goes with the process that holds it,
// however that ends, so that no lock is ever left behind.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace longhaul {

class PathLock {
 public:
  // Nothing when somebody else holds the lock, or when there is nothing at `path`.
  static std::optional<PathLock> try_existing(const std::filesystem::path& path);
  // Makes the file if need be, and leaves `note` in it for as long as the lock is held. Nothing when somebody else
  // holds it. EnvironmentError when the file can't be made. On a file system without locks, a warning says so.
  static std::optional<PathLock> try_file(const std::filesystem::path& path, std::string_view note);

  // The same for a file that is there only while its lock is held: whoever holds it removes it at the end, and what a
  // killed process left, the next one that takes it. On a file system without locks everybody gets one.
  static std::optional<PathLock> try_transient(const std::filesystem::path& path);

  ~PathLock();
  PathLock(PathLock&& other) noexcept;
  PathLock& operator=(PathLock&& other) noexcept;

 private:
  PathLock(int descriptor, bool has_note, std::filesystem::path removed = {})
      : descriptor_(descriptor), has_note_(has_note), removed_(std::move(removed)) {}

  int descriptor_;
  bool has_note_;
  std::filesystem::path removed_;  // with the lock; empty: nothing
};

// Whether somebody, in this process or another, holds the lock on `path`.
bool is_locked(const std::filesystem::path& path);

}  // namespace longhaul
