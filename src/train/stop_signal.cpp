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

}  // namespace

StopSignal::StopSignal() : signals_(on_signal) { last_signal = 0; }

bool StopSignal::raised() { return last_signal != 0; }

const char* StopSignal::name() { return last_signal == SIGINT ? "SIGINT" : "SIGTERM"; }

}  // namespace longhaul
