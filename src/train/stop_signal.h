#pragma once

#include <csignal>

namespace longhaul {

// While it lives, SIGTERM and SIGINT only raise a flag, so that a run can save and leave in order. A second SIGINT
// ends the program at once. Afterwards the handlers are what they were before.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  static bool raised();
  static const char* name();  // of the signal that came

 private:
  struct sigaction old_term_ {}, old_int_ {};
};

}  // namespace longhaul
