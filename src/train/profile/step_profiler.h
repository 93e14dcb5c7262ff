// trainer.profile: a profile of some steps by LibTorch's profiler (Kineto; CUPTI on GPUs), as a trace file of each rank
// and as a table in the log of the first.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "longhaul/recipes/step_range.h"

namespace longhaul {

class StepProfiler {
 public:
  struct Plan {
    std::optional<StepRange> steps;  // none: every call does nothing
    std::filesystem::path folder;    // of the traces; made when one is written
    int64_t rank = 0;
    bool prints_table = true;
    c10::Device device = c10::Device(c10::DeviceType::CPU);
    c10::ScalarType dtype = c10::ScalarType::Float;  // of matrix products
  };
  explicit StepProfiler(Plan plan);
  ~StepProfiler();  // a profile under way is dropped
  StepProfiler(const StepProfiler&) = delete;
  StepProfiler& operator=(const StepProfiler&) = delete;

  // Before and after each step, on the thread that takes it. On a GPU the profile begins and ends with all work there
  // done.
  void begin_step(int64_t step);
  void end_step(int64_t step);
  // Of a run that ends within the steps: writes what there is. EnvironmentError when the folder can't be written.
  void finish();

 private:
  void start(int64_t step);

  const Plan plan_;
  bool running_ = false;
  int64_t first_ = 0, last_ = 0;  // steps in the profile
  std::chrono::steady_clock::time_point start_;
  uint64_t nvtx_ = 0;  // callback, on GPUs: the parts' names as ranges that Nsight Systems shows
};

}  // namespace longhaul
