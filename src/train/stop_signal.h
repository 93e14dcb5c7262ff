#pragma once

namespace longhaul {

// While it lives, SIGTERM and SIGINT only raise a flag, so that a run can save and leave in order. A second SIGINT
// ends the program at once.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  static bool raised();
  static const char* name();  // of the signal that came
};

}  // namespace longhaul
