#include "train/stop_signal.h"

#include <time.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

namespace longhaul {
namespace {

volatile std::sig_atomic_t last_signal = 0, first_second = 0, tells = 0;

int64_t seconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

// Calls what a signal handler may call, and nothing else.
void on_signal(int number) {
  if (number == SIGINT && (last_signal == SIGINT || (last_signal != 0 && seconds_now() - first_second > 2))) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  if (last_signal == 0) {
    first_second = static_cast<std::sig_atomic_t>(seconds_now());
    if (tells != 0) {
      say(number == SIGINT ? "\nSIGINT" : "\nSIGTERM");
      say(" came: the run ends after this step, with a checkpoint (Ctrl-C ends it at once, without one)\n");
    }
  }
  last_signal = number;
}

// Cleared before there is a handler to set it.
void (*cleared_handler(bool tell))(int) {
  last_signal = 0;
  tells = tell ? 1 : 0;
  return on_signal;
}

}  // namespace

StopSignal::StopSignal(bool tell) : signals_(cleared_handler(tell)) {}

bool StopSignal::raised() {
  return last_signal != 0;
}

const char* StopSignal::name() {
  return last_signal == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace longhaul
