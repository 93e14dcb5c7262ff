#include "train/stop_signal.h"

#include <csignal>

namespace longhaul {
namespace {

volatile std::sig_atomic_t last_signal = 0;

void on_signal(int number) {
  if (number == SIGINT && last_signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  last_signal = number;
}

// Cleared before there is a handler to set it.
void (*cleared_handler())(int) {
  last_signal = 0;
  return on_signal;
}

}  // namespace

StopSignal::StopSignal() : signals_(cleared_handler()) {}

bool StopSignal::raised() {
  return last_signal != 0;
}

const char* StopSignal::name() {
  return last_signal == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace longhaul
