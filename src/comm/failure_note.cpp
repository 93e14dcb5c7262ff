#include "longhaul/comm/failure_note.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace longhaul::comm {
namespace {

constexpr const char* kName = "first_failure";

}  // namespace

void leave_failure_note(const FailureNote& note) noexcept {
  try {
    const char* folder = std::getenv(kFailureFolder);
    if (!folder) return;
    const std::filesystem::path mine = std::filesystem::path(folder) / fmt::format("failure.{}", ::getpid());
    std::ofstream(mine) << note.rank << ' ' << note.exit_code << '\n' << note.cause;
    // A link is made whole or not at all, and fails where another rank's stands.
    [[maybe_unused]] const int taken = ::link(mine.c_str(), (std::filesystem::path(folder) / kName).c_str());
    ::unlink(mine.c_str());
  } catch (...) {  // NOLINT: the failure itself matters more than its note
  }
}

std::optional<FailureNote> read_failure_note(const std::filesystem::path& folder) {
  std::ifstream file(folder / kName);
  FailureNote note;
  if (!(file >> note.rank >> note.exit_code)) return std::nullopt;
  file.ignore();
  note.cause.assign(std::istreambuf_iterator<char>(file), {});
  return note;
}

}  // namespace longhaul::comm
