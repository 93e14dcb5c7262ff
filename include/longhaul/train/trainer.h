// One training run, from a recipe to checkpoints: what `llm-pretrain pretrain` does, as a class.
//
// One Trainer at a time in a process, and one process at a time in a run folder. What it does to the whole process:
// the log goes to RUN/log.txt too for as long as it lives; `run` handles SIGTERM and SIGINT and then restores their
// handlers. And for good: trainer.threads sets LibTorch's number of threads, trainer.deterministic its deterministic
// algorithms, and large blocks of host memory are kept for reuse.
//
//   longhaul::Trainer trainer(recipe);
//   trainer.on_step([](const longhaul::StepMetrics& m) { … });
//   trainer.run();
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/comm/rank_hosts.h"
#include "longhaul/model/transformer.h"
#include "longhaul/optim/optimizer.h"
#include "longhaul/recipes/recipe.h"
#include "longhaul/train/step_metrics.h"

namespace longhaul {

class RunFolder;

struct TrainResult {
  int64_t first_step = 0;  // the step that the run resumed after; 0 for a fresh one
  int64_t steps = 0;       // the last step taken
  StepMetrics last;        // of that step
  std::optional<double> first_valid_loss, last_valid_loss;
  double seconds = 0;  // of this call of run
  double mean_tokens_per_second = 0;
  bool interrupted = false;  // SIGTERM or SIGINT came; everything is saved
  std::string checkpoint;    // folder of the last checkpoint, if one was written
};

class Trainer {
 public:
  // Resolves and validates the recipe, makes the run folder, opens the data, builds the model and fills it: from the
  // run folder's newest good checkpoint if it has one, else from `model.from`, else from `trainer.seed`.
  // UserError when another process trains in that folder.
  // `world`: the ranks that train together, laid out as the recipe's `parallel` says; null: this process alone. It
  // outlives the trainer, and everything below is a collective call over it. One rank writes, logs and shows progress.
  explicit Trainer(const Recipe& recipe, comm::Communicator* world = nullptr);
  // For who has asked for the ranks' machines already.
  Trainer(const Recipe& recipe, comm::Communicator* world, const comm::RankHosts& hosts);
  ~Trainer();

  // Called after each step, in the order of registration.
  void on_step(std::function<void(const StepMetrics&)> callback);

  // Trains from where the run stands to trainer.max_steps. SIGTERM or SIGINT ends the run after the current step, with
  // a checkpoint.
  TrainResult run();

  // Mean loss over trainer.eval_steps global batches of the validation split, the same ones each time. Empty without
  // validation data.
  std::optional<double> evaluate();

  // Writes a checkpoint of the present state and waits until it is on disk. Returns its folder.
  std::string save();

  const Recipe& recipe() const;  // resolved
  int64_t step() const;          // steps taken so far
  Transformer& model();
  Optimizer& optimizer();

 private:
  struct State;
  std::unique_ptr<RunFolder> folder_;  // outlives the state, whose last words still go to the log
  std::unique_ptr<State> state_;
};

}  // namespace longhaul
