#include "train/run_folder.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/core/unfinished.h"

namespace longhaul {
namespace {

constexpr const char* kLock = ".lock";
constexpr const char* kLog = "log.txt";

// What the holder of the lock left in it.
std::string holder(const std::filesystem::path& lock) {
  std::ifstream file(lock);
  const std::string pid{std::istreambuf_iterator<char>(file), {}};
  return pid.empty() ? "another process" : "process " + pid;
}

// Files that a run would replace, in a folder that is no run's, such as a model's.
void refuse_others_files(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / kLock, ignored) || std::filesystem::exists(folder / "checkpoints", ignored))
    return;
  for (const char* name : {"config.json", "metrics.jsonl", "environment.json"}) {
    if (std::filesystem::exists(folder / name, ignored))
      throw UserError(
          "trainer.run_dir {} is no run's folder, but holds a {}, which a run would replace: choose another folder",
          folder.string(), name);
  }
}

}  // namespace

RunFolder::RunFolder(std::filesystem::path path, bool leads) : path_(std::move(path)), leads_(leads) {
  if (!leads_) return;
  log::hold_for_file();
  std::error_code ignored;
  if (std::filesystem::exists(path_ / kLog, ignored)) {
    take();
  } else {
    refuse_others_files(path_);
  }
}

RunFolder::~RunFolder() {
  if (leads_) log::close_file();
}

const std::filesystem::path& RunFolder::make() {
  if (leads_ && !lock_) {
    make_folder(path_);
    take();
  }
  return path_;
}

void RunFolder::take() {
  lock_ = PathLock::try_file(path_ / kLock, std::to_string(::getpid()));
  if (!lock_) {
    throw UserError("{} trains in the run folder {} already: wait for it, end it, or choose another trainer.run_dir",
                    holder(path_ / kLock), path_.string());
  }
  log::open_file(path_ / kLog);
  for (const char* name : {"config.json", "environment.json"}) remove_stale_partials(path_ / name);
}

void RunFolder::note(const std::exception& error) {
  log::write_to_file(log::Level::error, error.what());
}

}  // namespace longhaul
