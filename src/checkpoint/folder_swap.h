// A folder that is written under a temporary name beside its place, and takes the place in one rename.
#pragma once

#include <filesystem>
#include <optional>

#include "longhaul/core/path_lock.h"

#include "longhaul/core/unfinished.h"

namespace longhaul {

class FolderSwap {
 public:
  // Makes `<target>.partial-<pid>`, empty and locked: a partial folder that nobody holds is a crash's.
  explicit FolderSwap(std::filesystem::path target);
  // Removes the temporary folder unless it was committed.
  ~FolderSwap();
  FolderSwap(const FolderSwap&) = delete;
  FolderSwap& operator=(const FolderSwap&) = delete;

  const std::filesystem::path& path() const { return temporary_; }

  // Renames. A folder that stands in the place trades places with the new one in the same step, and is removed after;
  // where the file system can't do that (NFS, some FUSE), it is moved aside first.
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  std::optional<PathLock> lock_;
  bool committed_ = false;
  Unfinished unfinished_;
};

inline constexpr auto kReplacedMark = ".replaced-";

}  // namespace longhaul
