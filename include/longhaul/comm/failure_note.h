// Why a job failed, left by the first rank that does for whoever started it: when one rank fails the others die with
// it, and their last words would hide the cause.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace longhaul::comm {

struct FailureNote {
  int rank = 0;
  int exit_code = 1;
  std::string cause;
};

// The environment variable that names the folder for the note. Without it none is left.
constexpr const char* kFailureFolder = "LONGHAUL_FAILURE_FOLDER";

// Leaves the note unless another rank was first. Never throws: it is called on the way out.
void leave_failure_note(const FailureNote& note) noexcept;
std::optional<FailureNote> read_failure_note(const std::filesystem::path& folder);

}  // namespace longhaul::comm
