// What another program says.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace longhaul {

struct ProgramOutput {
  enum class End {
    ended,
    failed,
    missing,
    late
  };  // exit code 0; another, or a signal; no such program; killed for its time
  End end = End::missing;
  std::string text;  // its standard output, without the newlines at its end; with End::ended alone
};

// Runs `command`, whose words no shell interprets, for at most `limit`. When its time is over, it and all that it
// started are killed.
ProgramOutput program_output(const std::vector<std::string>& command, std::chrono::milliseconds limit);

}  // namespace longhaul
