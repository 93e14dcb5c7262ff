#include "checkpoint/folder_swap.h"

#include <unistd.h>

#include <system_error>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

fs::path marked(const fs::path& target, const char* mark) {
  fs::path result = target;
  result += fmt::format("{}{}", mark, ::getpid());
  return result;
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error)
    throw EnvironmentError("cannot rename {} to {}: {}", from.string(), to.string(), error.message());
}

}  // namespace

FolderSwap::FolderSwap(fs::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // a trailing slash
  temporary_ = marked(target_, kPartialMark);
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
  const fs::path aside = marked(target_, kReplacedMark);
  const bool replaces = fs::exists(target_);
  if (replaces) rename_folder(target_, aside);
  try {
    rename_folder(temporary_, target_);
  } catch (...) {
    if (replaces) rename_folder(aside, target_);
    throw;
  }
  committed_ = true;
  sync_folder(parent);
  if (!replaces) return;
  std::error_code ignored;
  fs::remove_all(aside, ignored);
}

}  // namespace longhaul
