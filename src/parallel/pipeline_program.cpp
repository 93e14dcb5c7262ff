#include "longhaul/parallel/pipeline_program.h"

#include <map>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul::parallel {
namespace {

using Part = PipelinePart;
using Way = PipelineTransfer::Way;
using Payload = PipelineTransfer::Payload;
using Batches = std::map<int64_t, std::vector<PipelineTransfer>>;  // of one stage, by time

// Where an action's output goes, and as what.
std::optional<std::pair<VirtualStage, Payload>> destination(const PipelineShape& shape, VirtualStage at, Part part) {
  if (part == Part::weight_gradient) return std::nullopt;
  const bool forward = part == Part::forward;
  const auto to = forward ? virtual_stage_after(shape, at) : virtual_stage_before(shape, at);
  if (!to || to->stage == at.stage) return std::nullopt;
  return std::pair{*to, forward ? Payload::activation : Payload::gradient};
}

std::vector<Batches> batches_of(const PipelineShape& shape, const PipelineTimeline& timeline) {
  std::vector<Batches> batches(timeline.stages.size());
  for (int64_t stage = 0; stage < shape.stages; ++stage) {
    for (const auto& [action, begin, end] : timeline.stages[static_cast<size_t>(stage)]) {
      const auto output = destination(shape, {stage, action.chunk}, action.part);
      if (!output) continue;
      const auto& [to, payload] = *output;
      batches[static_cast<size_t>(stage)][end].push_back(
          {Way::send, payload, to.stage, action.chunk, action.micro_batch});
      batches[static_cast<size_t>(to.stage)][end].push_back(
          {Way::receive, payload, stage, to.chunk, action.micro_batch});
    }
  }
  return batches;
}

std::vector<PipelineStep> merged(const std::vector<TimedAction>& actions, Batches& batches) {
  std::vector<PipelineStep> steps;
  auto batch = batches.begin();
  for (const TimedAction& timed : actions) {
    PipelineStep step;
    while (batch != batches.end() && batch->first < timed.end) {
      if (!step.transfers.empty()) steps.push_back(std::exchange(step, {}));
      step.transfers = std::move((batch++)->second);
    }
    step.action = timed.action;
    steps.push_back(std::move(step));
  }
  for (; batch != batches.end(); ++batch) steps.push_back({std::move(batch->second), std::nullopt});
  return steps;
}

}  // namespace

std::vector<std::vector<PipelineStep>> pipeline_programs(const PipelineShape& shape) {
  const PipelineTimeline timeline = pipeline_timeline(shape);
  std::vector<Batches> batches = batches_of(shape, timeline);
  std::vector<std::vector<PipelineStep>> programs;
  for (size_t stage = 0; stage < batches.size(); ++stage)
    programs.push_back(merged(timeline.stages[stage], batches[stage]));
  return programs;
}

std::vector<PipelineStep> pipeline_program(const PipelineShape& shape, int64_t stage) {
  LONGHAUL_CHECK(stage >= 0 && stage < shape.stages, "stage {} of {}", stage, shape.stages);
  return std::move(pipeline_programs(shape)[static_cast<size_t>(stage)]);
}

}  // namespace longhaul::parallel
