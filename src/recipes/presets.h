// What several recipes have in common.
#pragma once

#include "longhaul/recipes/recipe.h"

namespace longhaul::recipes {

// Everything but model, batch, lr and layout, as the large recipes share it.
inline Recipe pretraining_defaults(const char* name, const char* description) {
  Recipe r;
  r.name = name;
  r.description = description;
  r.optimizer.eps = 1e-5;
  r.schedule.warmup_steps = 2000;
  r.trainer.max_steps = 1168251;
  r.trainer.log_every = 10;
  r.trainer.eval_every = 2000;
  r.checkpoint.every = 1000;
  return r;
}

inline void interleave(ParallelConfig& parallel, int64_t pipeline, int64_t chunks) {
  parallel.pipeline = pipeline;
  parallel.virtual_pipeline = chunks;
  parallel.schedule = PipelineSchedule::interleaved;
}

}  // namespace longhaul::recipes
