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

StopSignal::StopSignal() {
  last_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, &old_term_);
  sigaction(SIGINT, &action, &old_int_);
}

StopSignal::~StopSignal() {
  sigaction(SIGTERM, &old_term_, nullptr);
  sigaction(SIGINT, &old_int_, nullptr);
}

bool StopSignal::raised() { return last_signal != 0; }

const char* StopSignal::name() { return last_signal == SIGINT ? "SIGINT" : "SIGTERM"; }

}  // namespace longhaul
