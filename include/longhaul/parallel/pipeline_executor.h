// Runs one stage's program (pipeline_program.h) on tensors. Knows nothing of schedule kinds: it starts the transfers
// that a step names, and runs the step's action once its input has come.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/parallel/pipeline_program.h"

namespace longhaul::parallel {

struct PipelineStage {
  // Forward of a chunk on one micro-batch. `input`: what the virtual stage before sent, a leaf that wants a gradient;
  // undefined for the first, which reads the data. Returns what the next one gets, or from the last the micro-batch's
  // loss, a scalar.
  std::function<at::Tensor(int64_t chunk, int64_t micro_batch, const at::Tensor& input)> forward;
  std::vector<int64_t> boundary;  // shape of what stages send each other
  at::TensorOptions options;      // its type and device
};

// One global batch: forward and backward of all micro-batches, in the order of `program`, this stage's. Gradients
// accumulate where `forward`'s operators put them. `ranks`: the stages, in order; may be null for one stage.
// Activations are freed as soon as their backward has run.
void run_pipeline(const std::vector<PipelineStep>& program, comm::Communicator* ranks, const PipelineStage& stage);

}  // namespace longhaul::parallel
