// What a pipeline stage computes, in which order. A schedule is a pure function of the pipeline's shape:
// every stage can know every other stage's, so a program with its communications (pipeline_program.h) and a
// timeline (pipeline_timeline.h) follow from it without a word between the ranks.
//
// A stage holds `chunks` pieces of the model. Piece c of stage s is virtual stage c · stages + s: a
// micro-batch goes through all first pieces, then returns to stage 0 for the second ones, and so on; its
// gradient comes back the same way.
#pragma once

#include <cstdint>
#include <vector>

namespace longhaul::parallel {

enum class PipelineKind {
  gpipe,         // all forwards, then all backwards: simple, keeps every micro-batch's activations
  one_f_one_b,   // a backward as soon as there is one: the same bubble, at most `stages` micro-batches kept
  interleaved,   // the same over several chunks a stage: a bubble smaller by the number of chunks
  zero_bubble,   // ZB-H1: 1F1B with weight gradients apart, which fill a good part of the bubble
  forward_only,  // for evaluation, with as many chunks as training has
};

struct PipelineShape {
  PipelineKind kind = PipelineKind::one_f_one_b;
  int64_t stages = 1;
  int64_t chunks = 1;  // a stage; more than one only if interleaved or forward_only
  int64_t micro_batches = 1;
  bool operator==(const PipelineShape&) const = default;
};

enum class PipelinePart {
  forward,
  backward,         // of input and weights in one
  backward_input,   // the input's gradient alone: the stage before waits for no more
  weight_gradient,  // the rest of a backward_input, any time later
};

struct PipelineAction {
  PipelinePart part = PipelinePart::forward;
  int64_t chunk = 0;
  int64_t micro_batch = 0;
  bool operator==(const PipelineAction&) const = default;
};

// All actions of one stage in order: each (chunk, micro-batch) forward once and, unless forward_only,
// backward once, whole or as its two halves. Backwards of a chunk go through the micro-batches in ascending
// order in every schedule, so gradients add up in the same order whatever the schedule. The interleaved
// schedule is Megatron's, with its microbatch_group_size_per_vp_stage set to pipeline_group().
std::vector<PipelineAction> pipeline_schedule(const PipelineShape& shape, int64_t stage);

// How many micro-batches go through one chunk before the next chunk's turn comes: `stages` if they divide the
// micro-batches. Otherwise the next greater number that leaves no remainder smaller than `stages`, since a
// group that can't fill the pipeline makes stages wait for each other; more activations are alive then, but
// the bubble stays. With fewer micro-batches than stages all are one group, and the bubble grows.
int64_t pipeline_group(const PipelineShape& shape);

// The number of (chunk, micro-batch) whose activations a stage holds at the worst moment: from a forward's
// begin to the end of the backward that needs them last. Without backwards, for one action.
int64_t peak_live_activations(const PipelineShape& shape, int64_t stage);

// What an action takes, with a chunk's forward as the unit: a backward 2, each half of it 1.
int64_t unit_cost(PipelinePart part);

// Time that a stage waits over the time that its work takes, at these costs, without communication. In all
// but the zero-bubble schedule this is (stages - 1) / (chunks · micro-batches) if there are at least as many
// micro-batches as stages.
double bubble_fraction(const PipelineShape& shape);

}  // namespace longhaul::parallel
