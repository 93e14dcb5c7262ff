// When each stage does what, in the units of unit_cost(): the schedules of all stages played against one
// another, with communication that takes no time. The programs of the stages take their order from here.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "longhaul/parallel/pipeline_schedule.h"

namespace longhaul::parallel {

// One chunk of one stage.
struct VirtualStage {
  int64_t stage = 0;
  int64_t chunk = 0;
  bool operator==(const VirtualStage&) const = default;
};

// The neighbours on a micro-batch's way; none before the first and after the last.
std::optional<VirtualStage> virtual_stage_before(const PipelineShape& shape, VirtualStage at);
std::optional<VirtualStage> virtual_stage_after(const PipelineShape& shape, VirtualStage at);

struct TimedAction {
  PipelineAction action;
  int64_t begin = 0;
  int64_t end = 0;
};

struct PipelineTimeline {
  std::vector<std::vector<TimedAction>> stages;  // of each stage, in order
  int64_t end = 0;                               // when the last one is done
};

// Each action begins as soon as its stage is free and what it needs is there. Throws InternalError for
// schedules that wait for each other; those of pipeline_schedule don't.
PipelineTimeline pipeline_timeline(const PipelineShape& shape);
// The same for schedules of your own, one a stage.
PipelineTimeline pipeline_timeline(const PipelineShape& shape,
                                   const std::vector<std::vector<PipelineAction>>& schedules);

}  // namespace longhaul::parallel
