// metrics.jsonl and TensorBoard's event files of a run folder.
#pragma once

#include <filesystem>
#include <fstream>

#include "longhaul/train/step_metrics.h"
#include "train/tensorboard.h"

namespace longhaul {

class MetricsLog {
 public:
  // Appends to `run_dir`/metrics.jsonl. A resumed run passes the step it resumes from: lines beyond it, which the
  // interrupted run wrote after its last checkpoint, are dropped, so that each step stands there once.
  MetricsLog(const std::filesystem::path& run_dir, int64_t resume_step);
  void write(const StepMetrics& metrics);

 private:
  std::ofstream file_;
  TensorBoardWriter tensorboard_;
};

}  // namespace longhaul
