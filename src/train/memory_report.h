// What a run will need of memory, told before its first step, and what it has needed, told at its end.
#pragma once

#include <c10/core/Device.h>

#include "longhaul/comm/rank_hosts.h"
#include "longhaul/recipes/estimate.h"
#include "train/parallel_layout.h"

namespace longhaul {

class MemoryReport {
 public:
  // This rank's, before the first step: the table, and a warning when what is still to come does not fit what is free.
  // `recipe` is resolved. Starts the measurement.
  MemoryReport(const Recipe& recipe, const ParallelLayout& layout, const comm::RankHosts& hosts, c10::Device device);

  const MemoryEstimate& estimate() const { return estimate_; }
  // Of a run with more steps. A GPU's first one also tries ways to compute, in memory of their own: it is measured
  // anew.
  void first_step_done() const;
  // One line: the estimate beside the peak of tensors since the construction.
  void finish() const;

 private:
  const c10::Device device_;
  const MemoryEstimate estimate_;
  const int64_t registered_bytes_;
};

}  // namespace longhaul
