#include "checkpoint/checkpoint_folders.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <system_error>
#include <vector>

#include "checkpoint/folder_swap.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/core/path_lock.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStep = "step_";
constexpr auto kRemovedMark = ".removed";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().filename().string());
  return names;
}

void remove_quietly(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) log::warning("cannot remove {}: {}", path.string(), error.message());
}

}  // namespace

std::string step_folder_name(int64_t step) {
  return fmt::format("step_{:08}", step);
}

std::optional<int64_t> parse_step_folder(std::string_view name) {
  if (!name.starts_with(kStep)) return std::nullopt;
  name.remove_prefix(kStep.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || name.size() < 8 || step < 0) return std::nullopt;
  return step;
}

void clear_leftovers(const fs::path& checkpoints) {
  for (const auto& name : names_in(checkpoints)) {
    const auto replaced = name.find(kReplacedMark);
    if (replaced != std::string::npos && parse_step_folder(std::string_view(name).substr(0, replaced))) {
      const fs::path original = checkpoints / name.substr(0, replaced);
      if (!fs::exists(original)) {
        std::error_code error;
        fs::rename(checkpoints / name, original, error);
        if (!error) continue;
      }
      remove_quietly(checkpoints / name);
    } else if (is_locked(checkpoints / name)) {
      log::warning("{} is being written by somebody else: one run at a time in a folder",
                   (checkpoints / name).string());
    } else if (name.find(kPartialMark) != std::string::npos || name.ends_with(kRemovedMark)) {
      log::info("removing {}, which an interrupted save left behind", (checkpoints / name).string());
      remove_quietly(checkpoints / name);
    }
  }
}

void apply_retention(const fs::path& checkpoints, int keep_last, int64_t keep_every, int64_t saved) {
  if (keep_last <= 0) return;
  std::vector<int64_t> steps;
  for (const auto& name : names_in(checkpoints)) {
    const auto step = parse_step_folder(name);
    if (step && *step <= saved) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  for (size_t i = static_cast<size_t>(keep_last); i < steps.size(); ++i) {
    if (keep_every > 0 && steps[i] % keep_every == 0) continue;
    const fs::path folder = checkpoints / step_folder_name(steps[i]);
    fs::path removed = folder;
    removed += kRemovedMark;
    std::error_code error;
    fs::rename(folder, removed, error);
    if (error) {
      log::warning("cannot remove the old checkpoint {}: {}", folder.string(), error.message());
      continue;
    }
    remove_quietly(removed);
    log::info("removed {}: checkpoint.keep_last is {}", folder.string(), keep_last);
  }
}

}  // namespace longhaul
