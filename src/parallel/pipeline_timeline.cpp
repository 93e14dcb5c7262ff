#include "longhaul/parallel/pipeline_timeline.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul::parallel {
namespace {

using Part = PipelinePart;
constexpr int64_t kNever = -1;

// When outputs are there: of the forwards, and of the backwards (the input's gradient).
class Ends {
 public:
  explicit Ends(const PipelineShape& shape)
      : shape_(shape),
        forward_(static_cast<size_t>(shape.stages * shape.chunks * shape.micro_batches), kNever),
        backward_(forward_) {}
  int64_t& forward(VirtualStage at, int64_t micro_batch) { return forward_[index(at, micro_batch)]; }
  int64_t& backward(VirtualStage at, int64_t micro_batch) { return backward_[index(at, micro_batch)]; }

 private:
  size_t index(VirtualStage at, int64_t micro_batch) const {
    return static_cast<size_t>((at.chunk * shape_.stages + at.stage) * shape_.micro_batches + micro_batch);
  }
  PipelineShape shape_;
  std::vector<int64_t> forward_, backward_;
};

// When everything that the action needs is there; kNever while something is missing.
int64_t ready(const PipelineShape& shape, Ends& ends, VirtualStage at, const PipelineAction& action) {
  const int64_t micro_batch = action.micro_batch;
  if (action.part == Part::forward) {
    const auto before = virtual_stage_before(shape, at);
    return before ? ends.forward(*before, micro_batch) : 0;
  }
  if (action.part == Part::weight_gradient) return ends.backward(at, micro_batch);
  const auto after = virtual_stage_after(shape, at);
  const int64_t own = ends.forward(at, micro_batch), gradient = after ? ends.backward(*after, micro_batch) : 0;
  return own == kNever || gradient == kNever ? kNever : std::max(own, gradient);
}

}  // namespace

std::optional<VirtualStage> virtual_stage_before(const PipelineShape& shape, VirtualStage at) {
  if (at.stage > 0) return VirtualStage{at.stage - 1, at.chunk};
  if (at.chunk > 0) return VirtualStage{shape.stages - 1, at.chunk - 1};
  return std::nullopt;
}

std::optional<VirtualStage> virtual_stage_after(const PipelineShape& shape, VirtualStage at) {
  if (at.stage + 1 < shape.stages) return VirtualStage{at.stage + 1, at.chunk};
  if (at.chunk + 1 < shape.chunks) return VirtualStage{0, at.chunk + 1};
  return std::nullopt;
}

PipelineTimeline pipeline_timeline(const PipelineShape& shape,
                                   const std::vector<std::vector<PipelineAction>>& schedules) {
  LONGHAUL_CHECK(static_cast<int64_t>(schedules.size()) == shape.stages, "{} schedules for {} stages", schedules.size(),
                 shape.stages);
  PipelineTimeline timeline{std::vector<std::vector<TimedAction>>(schedules.size()), 0};
  Ends ends(shape);
  size_t left = 0;
  for (const auto& schedule : schedules) left += schedule.size();

  while (left > 0) {
    const size_t before = left;
    for (size_t s = 0; s < schedules.size(); ++s) {
      auto& done = timeline.stages[s];
      while (done.size() < schedules[s].size()) {
        const PipelineAction& action = schedules[s][done.size()];
        const VirtualStage at{static_cast<int64_t>(s), action.chunk};
        const int64_t inputs = ready(shape, ends, at, action);
        if (inputs == kNever) break;
        const int64_t begin = std::max(inputs, done.empty() ? 0 : done.back().end);
        done.push_back({action, begin, begin + unit_cost(action.part)});
        if (action.part == Part::forward) ends.forward(at, action.micro_batch) = done.back().end;
        if (action.part == Part::backward || action.part == Part::backward_input)
          ends.backward(at, action.micro_batch) = done.back().end;
        timeline.end = std::max(timeline.end, done.back().end);
        --left;
      }
    }
    LONGHAUL_CHECK(left < before, "the schedules of the stages wait for each other: {} actions can never begin", left);
  }
  return timeline;
}

PipelineTimeline pipeline_timeline(const PipelineShape& shape) {
  std::vector<std::vector<PipelineAction>> schedules;
  for (int64_t stage = 0; stage < shape.stages; ++stage) schedules.push_back(pipeline_schedule(shape, stage));
  return pipeline_timeline(shape, schedules);
}

}  // namespace longhaul::parallel
