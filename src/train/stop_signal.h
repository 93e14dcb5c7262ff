#pragma once

#include "longhaul/core/handled_signals.h"

namespace longhaul {

// While it lives, SIGTERM and SIGINT only raise a flag, so that a run can save and leave in order. SIGINT after SIGINT,
// or two seconds after SIGTERM, ends the program at once (a launcher may pass one Ctrl-C on as both). Afterwards the
// handlers are what they were before.
class StopSignal {
 public:
  // `tell`: the first signal is answered at once, on standard error, since a step may take long.
  explicit StopSignal(bool tell);

  static bool raised();
  static const char* name();  // of the signal that came

 private:
  HandledSignals signals_;
};

}  // namespace longhaul
