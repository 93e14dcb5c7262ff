#include "checkpoint/folder_swap.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include <system_error>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/unfinished.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

fs::path aside(const fs::path& target) {
  fs::path result = target;
  result += fmt::format("{}{}", kReplacedMark, ::getpid());
  return result;
}

// Two folders trade places in one step. False where the file system can't.
bool exchange(const fs::path& a, const fs::path& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw EnvironmentError("cannot rename {} to {}: {}", from.string(), to.string(), error.message());
}

}  // namespace

FolderSwap::FolderSwap(fs::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // a trailing slash
  temporary_ = partial_path(target_);
  remove_stale_partials(target_);
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  make_folder(temporary_);
  lock_ = PathLock::try_existing(temporary_);
}

FolderSwap::~FolderSwap() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void FolderSwap::commit() {
  sync_folder(temporary_);
  const fs::path parent = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  fs::path old;
  if (!fs::exists(target_)) {
    rename_folder(temporary_, target_);
  } else if (exchange(temporary_, target_)) {
    old = temporary_;
  } else {
    old = aside(target_);
    rename_folder(target_, old);
    try {
      rename_folder(temporary_, target_);
    } catch (...) {
      rename_folder(old, target_);
      throw;
    }
  }
  committed_ = true;
  sync_folder(parent);
  if (old.empty()) return;
  std::error_code ignored;
  fs::remove_all(old, ignored);
}

}  // namespace longhaul
