// What a program leaves behind when it is stopped in the middle of writing: files and folders under temporary names.
//
// A command that writes large files holds a `StopGuard`. SIGINT and SIGTERM then end the program at once only while
// nothing is unfinished; otherwise the next write throws `Interrupted`, and whoever owns a temporary file removes it on
// the way out. A second signal ends the program where it stands. What a killed program left is removed by the next one
// that writes to the same place.
#pragma once

#include <filesystem>

#include "longhaul/core/error.h"
#include "longhaul/core/handled_signals.h"

namespace longhaul {

// A signal stopped the command. The exit code is the shell's for it, 128 + its number.
class Interrupted : public Error {
 public:
  explicit Interrupted(int signal);
  int exit_code() const noexcept override { return 128 + signal_; }

 private:
  int signal_;
};

class StopGuard {
 public:
  StopGuard();
  ~StopGuard();
  StopGuard(const StopGuard&) = delete;
  StopGuard& operator=(const StopGuard&) = delete;

 private:
  HandledSignals signals_;
};

// Lives as long as something under a temporary name is unfinished.
class Unfinished {
 public:
  Unfinished();
  ~Unfinished();
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
};

// Throws Interrupted when a signal came while a StopGuard lives.
void throw_if_interrupted();

inline constexpr auto kPartialMark = ".partial-";
// `<target>.partial-<pid>`: the temporary name of this process.
std::filesystem::path partial_path(const std::filesystem::path& target);
// Removes the temporary files and folders of `target` whose process is gone. For places that one machine writes to: a
// process of another machine looks like one that is gone.
void remove_stale_partials(const std::filesystem::path& target);

}  // namespace longhaul
