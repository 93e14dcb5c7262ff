// Which checkpoint to go on from.
#include <algorithm>
#include <system_error>

#include "checkpoint/checkpoint_folders.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

// What `latest` says, or nothing, with a warning, when it is missing or not a checkpoint's name.
std::optional<std::string> read_pointer(const fs::path& checkpoints) {
  const fs::path file = latest_file(checkpoints);
  if (!fs::is_regular_file(file)) {
    log::warning("{} is missing, or no file; taking the newest good checkpoint instead", file.string());
    return std::nullopt;
  }
  std::string name = read_text(file);
  while (!name.empty() && (name.back() == '\n' || name.back() == '\r' || name.back() == ' ')) name.pop_back();
  if (parse_step_folder(name)) return name;
  log::warning("{} does not name a checkpoint; taking the newest good one instead", file.string());
  return std::nullopt;
}

}  // namespace

std::vector<CheckpointPlace> list_checkpoints(const fs::path& run_folder) {
  std::vector<CheckpointPlace> places;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints_folder(run_folder), error)) {
    const auto step = parse_step_folder(entry.path().filename().string());
    if (step && entry.is_directory()) places.push_back({*step, entry.path()});
  }
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return places;
}

std::string other_checkpoints(const fs::path& missing) {
  const fs::path place = missing.has_filename() ? missing : missing.parent_path();  // "…/step_00000500/"
  if (!parse_step_folder(place.filename().string())) return "";
  const fs::path checkpoints = place.parent_path();
  if (checkpoints.filename() != checkpoints_folder({})) return "";
  const auto places = list_checkpoints(checkpoints.parent_path());
  if (places.empty()) return "";
  std::string names = step_folder_name(places.front().step);
  if (places.size() == 2) names += " and ";
  if (places.size() > 2) names += fmt::format(", {} more and ", places.size() - 2);
  if (places.size() > 1) names += step_folder_name(places.back().step);
  return fmt::format("{} has {}; of older ones a run keeps what checkpoint.keep_last and checkpoint.keep_every say",
                     checkpoints.string(), names);
}

std::optional<CheckpointReader> find_latest(const fs::path& run_folder) {
  const fs::path checkpoints = checkpoints_folder(run_folder);
  auto places = list_checkpoints(run_folder);
  if (places.empty()) return std::nullopt;

  std::vector<fs::path> candidates;
  const auto named = read_pointer(checkpoints);
  if (named) candidates.push_back(checkpoints / *named);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    if (!named || place->path.filename() != *named) candidates.push_back(place->path);
  }
  for (const auto& candidate : candidates) {
    try {
      CheckpointReader reader(candidate);
      reader.verify();
      if (candidate != candidates.front()) log::warning("going on from {} instead", candidate.string());
      return reader;
    } catch (const UserError& error) {
      log::warning("cannot go on from {}: {}", candidate.string(), error.what());
    }
  }
  throw UserError(
      "{}: none of its {} checkpoints is good (see the warnings above); start a new run in another folder, "
      "or "
      "restore one",
      checkpoints.string(), places.size());
}

}  // namespace longhaul
