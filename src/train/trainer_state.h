// What a Trainer holds, in the order in which it is made.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "longhaul/data/loader.h"
#include "longhaul/recipes/batch_schedule.h"
#include "longhaul/train/evaluator.h"
#include "longhaul/train/trainer.h"
#include "ops/host_copies.h"
#include "train/device_ranks.h"
#include "train/global_step.h"
#include "train/model_source.h"
#include "train/parallel_layout.h"
#include "train/profile/step_profiler.h"
#include "train/run_checkpoints.h"
#include "train/run_data.h"
#include "train/run_folder.h"

namespace longhaul {

struct Trainer::State {
  State(const Recipe& wanted, RunFolder& folder, comm::Communicator* world, const comm::RankHosts& ranks_hosts);

  ModelSource source;
  const Recipe recipe;  // resolved
  const BatchSchedule batches_of_run;
  const comm::RankHosts hosts;
  const c10::Device device;
  const DeviceRanks tensors;
  const ParallelLayout layout;
  std::optional<CheckpointReader> resumed;  // until the optimiser is filled
  RunProgress progress;
  RunData data;
  Transformer model;
  Optimizer optimizer;
  GlobalStep global_step;
  RunCheckpoints checkpoints;
  StepProfiler profiler;
  const ops::HostCopies copies;
  const at::Tensor loss_on_host;  // [1]: where the step's loss is read
  std::vector<std::function<void(const StepMetrics&)>> callbacks;

  // Of a global batch of so many samples, each data-parallel rank's.
  int64_t micro_batches(int64_t samples) const { return samples / (recipe.batch.micro * layout.data_ranks()); }
  // How the data-parallel ranks go through the training data.
  SamplerOptions sampler_options() const { return longhaul::sampler_options(recipe, layout.data_ranks()); }
  // Masters and moments, from where the run stands.
  void fill();
  StepMetrics take_step(Loader& loader);
  Evaluation evaluate(const std::shared_ptr<const Dataset>& dataset,
                      const std::function<void(int64_t, int64_t)>& on_progress = {});
  TrainResult run();
};

}  // namespace longhaul
