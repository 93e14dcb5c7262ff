#pragma once

#include "longhaul/core/handled_signals.h"

namespace longhaul {

// While it lives, SIGTERM and SIGINT only raise a flag, so that a run can save and leave in order. A second SIGINT
// ends the program at once. Afterwards the handlers are what they were before.
class StopSignal {
 public:
  StopSignal();

  static bool raised();
  static const char* name();  // of the signal that came

 private:
  HandledSignals signals_;
};

}  // namespace longhaul
