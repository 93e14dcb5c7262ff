#include "longhaul/core/unfinished.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace longhaul {
namespace {

namespace fs = std::filesystem;

std::atomic<int> unfinished{0}, stopped_by{0};
static_assert(std::atomic<int>::is_always_lock_free, "the signal handler needs it");

void on_signal(int number) {
  if (unfinished == 0 || stopped_by.exchange(number) != 0) {
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
}

// Cleared before there is a handler to set it.
void (*cleared_handler())(int) {
  stopped_by = 0;
  return on_signal;
}

bool is_gone(pid_t process) {
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace

Interrupted::Interrupted(int signal)
    : Error(fmt::format("stopped by {}; the unfinished files are removed", signal == SIGINT ? "Ctrl-C" : "SIGTERM")),
      signal_(signal) {}

StopGuard::StopGuard() : signals_(cleared_handler()) {}
StopGuard::~StopGuard() {
  stopped_by = 0;
}

Unfinished::Unfinished() {
  ++unfinished;
}
Unfinished::~Unfinished() {
  --unfinished;
}

void throw_if_interrupted() {
  if (const int number = stopped_by; number != 0) throw Interrupted(number);
}

fs::path partial_path(const fs::path& target) {
  fs::path result = target;
  result += fmt::format("{}{}", kPartialMark, ::getpid());
  return result;
}

void remove_stale_partials(const fs::path& target) {
  const std::string start = target.filename().string() + kPartialMark;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(target.has_parent_path() ? target.parent_path() : ".", ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(start)) continue;
    pid_t process = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + start.size(), end, process);
    if (error == std::errc{} && stop == end && process > 0 && is_gone(process)) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace longhaul
