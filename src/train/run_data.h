// The data of a run: its datasets, and what the files say about the tokenizer they were made with.
#pragma once

#include <memory>
#include <optional>

#include "longhaul/data/batch_builder.h"
#include "longhaul/data/dataset.h"
#include "longhaul/data/sampler.h"
#include "train/model_source.h"
#include "train/run_progress.h"

namespace longhaul {

struct RunData {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> valid;  // null when trainer.eval_every is 0
  std::shared_ptr<const Dataset> test;   // null without data.test
  MaskOptions masks;
};

// The data of the source's recipe. The training data has samples for the steps from `progress` to trainer.max_steps;
// corpora that are read once (by size, data.sampler sequential) and don't suffice for them are refused, and so are data
// whose ids the model's vocabulary doesn't hold, or that were prepared with another tokenizer than the source's.
RunData open_run_data(const ModelSource& source, const RunProgress& progress);

// How so many data-parallel ranks go through the training data.
SamplerOptions sampler_options(const Recipe& recipe, int64_t data_ranks);

}  // namespace longhaul
