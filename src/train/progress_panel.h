#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "longhaul/core/progress.h"
#include "longhaul/train/step_metrics.h"

namespace longhaul {

// The line that a person watches: where the run is, its loss, its speed, and when it will be done.
class ProgressPanel {
 public:
  ProgressPanel(int64_t first_step, int64_t max_steps, int64_t log_every);
  void update(const StepMetrics& metrics);
  // While something else than a step is going on, e.g. "evaluating 12/32".
  void note(const std::string& text);
  void finish() { live_.finish(); }

 private:
  const int64_t first_step_, max_steps_, log_every_;
  double seconds_ = 0;  // of the steps so far, for the ETA
  int64_t steps_ = 0;
  LiveLine live_;
};

}  // namespace longhaul
