// Runs the programs of all pipeline stages together, with numbers for tensors, under three kinds of messages,
// and finds what is wrong with them. It knows nothing of how the programs were made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhaul/parallel/pipeline_program.h"

namespace longhaul::parallel {

enum class Messages {
  blocking,  // a send waits for its receive, and a stage waits for a whole batch before it goes on
  stream,    // NCCL: batches run one after the other beside the computation, a send waits for its receive
  eager,     // MPI: sends are done at once, receives are independent; what is posted is posted between two
             // actions
};

struct PipelineRun {
  std::string problem;        // empty: all went well
  int64_t end = 0;            // when the last action was done
  std::vector<int64_t> live;  // of each stage, the most activations at once
  int64_t receives = 0;       // the most receives that a stage had posted and not consumed
};

PipelineRun run_pipeline(const PipelineShape& shape, const std::vector<std::vector<PipelineStep>>& programs,
                         Messages messages);

}  // namespace longhaul::parallel
