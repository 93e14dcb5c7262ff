#pragma once

#include <csignal>

namespace longhaul {

// While it lives SIGINT and SIGTERM go to `handler`; then to whom they went before. System calls that they interrupt go
// on.
class HandledSignals {
 public:
  explicit HandledSignals(void (*handler)(int));
  ~HandledSignals();
  HandledSignals(const HandledSignals&) = delete;
  HandledSignals& operator=(const HandledSignals&) = delete;

 private:
  struct sigaction interrupt_ {
  }, terminate_{};
};

}  // namespace longhaul
