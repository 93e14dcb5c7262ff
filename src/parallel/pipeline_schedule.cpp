#include "longhaul/parallel/pipeline_schedule.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul::parallel {
namespace {

using Part = PipelinePart;

bool may_have_chunks(PipelineKind kind) {
  return kind == PipelineKind::interleaved || kind == PipelineKind::forward_only;
}

void check(const PipelineShape& shape, int64_t stage) {
  LONGHAUL_CHECK(shape.stages >= 1 && shape.chunks >= 1 && shape.micro_batches >= 1, "an empty pipeline");
  LONGHAUL_CHECK(stage >= 0 && stage < shape.stages, "stage {} of {}", stage, shape.stages);
  LONGHAUL_CHECK(shape.chunks == 1 || may_have_chunks(shape.kind), "this kind of schedule has no {} chunks",
                 shape.chunks);
}

// One direction's order. A group of micro-batches passes the first chunk, then the second, … With one chunk
// these are simply the micro-batches. Gradients meet the chunks from the last to the first.
std::vector<PipelineAction> in_groups(const PipelineShape& shape, Part part) {
  std::vector<PipelineAction> order;
  const int64_t group = pipeline_group(shape);
  for (int64_t begin = 0; begin < shape.micro_batches; begin += group) {
    const int64_t end = std::min(begin + group, shape.micro_batches);
    for (int64_t chunk = 0; chunk < shape.chunks; ++chunk)
      for (int64_t micro_batch = begin; micro_batch < end; ++micro_batch)
        order.push_back({part, part == Part::forward ? chunk : shape.chunks - 1 - chunk, micro_batch});
  }
  return order;
}

// Forwards before the first one that a backward follows at once.
int64_t warm_up(const PipelineShape& shape, int64_t stage) {
  const int64_t all = shape.chunks * shape.micro_batches, after = shape.stages - 1 - stage;
  switch (shape.kind) {
    case PipelineKind::gpipe:
    case PipelineKind::forward_only:
      return all;
    case PipelineKind::interleaved:
      return std::min(2 * after + (shape.chunks - 1) * pipeline_group(shape), all);
    case PipelineKind::one_f_one_b:
    case PipelineKind::zero_bubble:
      break;
  }
  return std::min(after, all);
}

}  // namespace

int64_t pipeline_group(const PipelineShape& shape) {
  int64_t group = std::min(shape.stages, shape.micro_batches);
  while (shape.micro_batches % group != 0 && shape.micro_batches % group < shape.stages) ++group;
  return group;
}

std::vector<PipelineAction> pipeline_schedule(const PipelineShape& shape, int64_t stage) {
  check(shape, stage);
  const bool split = shape.kind == PipelineKind::zero_bubble;
  const auto forwards = in_groups(shape, Part::forward);
  if (shape.kind == PipelineKind::forward_only) return forwards;
  const auto backwards = in_groups(shape, split ? Part::backward_input : Part::backward);
  const auto weights = in_groups(shape, Part::weight_gradient);
  const size_t all = forwards.size(), warm = static_cast<size_t>(warm_up(shape, stage));
  // Stage s lets its weight gradients lag s backwards behind. It keeps s micro-batches more for that, and so
  // as many as stage 0, and has as many pieces of work ready for the wait at the end.
  const size_t lag = static_cast<size_t>(stage);

  std::vector<PipelineAction> actions(forwards.begin(), forwards.begin() + static_cast<std::ptrdiff_t>(warm));
  for (size_t i = 0; i < all; ++i) {
    if (warm + i < all) actions.push_back(forwards[warm + i]);
    actions.push_back(backwards[i]);
    if (split && i >= lag) actions.push_back(weights[i - lag]);
  }
  if (split)
    actions.insert(actions.end(), weights.end() - static_cast<std::ptrdiff_t>(std::min(lag, all)), weights.end());
  return actions;
}

int64_t peak_live_activations(const PipelineShape& shape, int64_t stage) {
  check(shape, stage);
  const int64_t all = shape.chunks * shape.micro_batches;
  if (shape.kind == PipelineKind::forward_only) return 1;
  if (shape.kind == PipelineKind::zero_bubble) return std::min(shape.stages, all);
  return std::min(warm_up(shape, stage) + 1, all);
}

int64_t unit_cost(PipelinePart part) {
  return part == Part::backward ? 2 : 1;
}

double bubble_fraction(const PipelineShape& shape) {
  check(shape, 0);
  const int64_t backward = shape.kind == PipelineKind::forward_only ? 0 : unit_cost(Part::backward);
  const int64_t unit = unit_cost(Part::forward) + backward, others = shape.stages - 1;
  // A micro-batch's way to the last stage and back. With too few micro-batches, so does each return to stage
  // 0.
  int64_t idle = unit * (others + (shape.chunks - 1) * std::max<int64_t>(0, shape.stages - shape.micro_batches));
  // Only input gradients go back one by one; weight gradients fill the wait, as far as there are any.
  if (shape.kind == PipelineKind::zero_bubble) idle = 2 * others - std::min(others, shape.micro_batches - 1);
  return static_cast<double>(idle) / static_cast<double>(unit * shape.chunks * shape.micro_batches);
}

}  // namespace longhaul::parallel
