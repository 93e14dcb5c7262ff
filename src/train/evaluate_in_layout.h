#pragma once

#include "longhaul/train/evaluator.h"
#include "train/parallel_layout.h"

namespace longhaul {

// As `evaluate`, over all ranks of a layout: data-parallel ranks share the micro-batches, stages pass hidden states on.
// The result is the same on every rank. A collective call.
Evaluation evaluate_in_layout(Transformer& model, const ParallelLayout& layout,
                              const std::shared_ptr<const Dataset>& dataset, const EvaluationPlan& plan,
                              const std::function<void(int64_t, int64_t)>& on_progress = {});

}  // namespace longhaul
