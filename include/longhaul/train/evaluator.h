#pragma once

#include <functional>
#include <memory>

#include "longhaul/comm/communicator.h"
#include "longhaul/data/batch_builder.h"
#include "longhaul/data/dataset.h"
#include "longhaul/model/transformer.h"

namespace longhaul {

struct EvaluationPlan {
  int64_t sequence_length = 0;
  int64_t micro_batch = 1;  // sequences at once
  int64_t samples = 0;      // of the dataset, from its first; 0: all
  MaskOptions masks;
};

struct Evaluation {
  double loss = 0;     // mean cross-entropy over the valid tokens, nats
  int64_t tokens = 0;  // valid ones
};

// The ranks that evaluate together; null: none. Data-parallel ranks share the samples, stages pass hidden states on.
struct EvaluationRanks {
  comm::Communicator* data = nullptr;
  comm::Communicator* pipeline = nullptr;
};

// Mean loss over the first `plan.samples` samples, the last micro-batch smaller where they don't divide. Calls
// `on_progress(done, total)` with samples. UserError when the data holds no valid token.
// With `ranks` a collective call, with the same result on each.
Evaluation evaluate(Transformer& model, const std::shared_ptr<const Dataset>& dataset, const EvaluationPlan& plan,
                    const std::function<void(int64_t, int64_t)>& on_progress = {}, const EvaluationRanks& ranks = {});

}  // namespace longhaul
