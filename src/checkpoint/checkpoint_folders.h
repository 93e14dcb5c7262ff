// The names in RUN/checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul {

inline std::filesystem::path checkpoints_folder(const std::filesystem::path& run) {
  return run / "checkpoints";
}
inline std::filesystem::path latest_file(const std::filesystem::path& checkpoints) {
  return checkpoints / "latest";
}

std::string step_folder_name(int64_t step);                       // "step_00000500"
std::optional<int64_t> parse_step_folder(std::string_view name);  // nothing for any other name

// Removes what a crash left: partial folders, and those that were being replaced or removed. A replaced
// folder whose successor never appeared takes its place again. A partial folder that a live process holds stays.
void clear_leftovers(const std::filesystem::path& checkpoints);

// After `saved` was written: of the checkpoints up to it, removes all but the `keep_last` newest (`saved` is
// the first of them) and those whose step is a multiple of `keep_every`. Later steps, from before the run
// went back, are neither counted nor touched. A folder is renamed before its files go, so that no crash
// leaves a half-removed checkpoint.
void apply_retention(const std::filesystem::path& checkpoints, int keep_last, int64_t keep_every, int64_t saved);

}  // namespace longhaul
