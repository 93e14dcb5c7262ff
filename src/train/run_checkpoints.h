// The checkpoints of a run: what of the trainer's state goes into one, and comes back from it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/checkpoint_writer.h"
#include "longhaul/optim/optimizer.h"
#include "longhaul/recipes/recipe.h"
#include "train/run_progress.h"

namespace longhaul {

// The recipe of the run that a checkpoint is of; the defaults where it is of none.
Recipe recipe_of(const CheckpointReader& checkpoint);

// The newest good checkpoint in the recipe's run folder, which the run goes on from; empty when there is none.
// UserError when it is another model's. A collective call over `ranks`; null: one process.
std::optional<CheckpointReader> find_resumed(const Recipe& recipe, comm::Communicator* ranks);
// Where the run stood then; at its start without a checkpoint.
RunProgress progress_of(const std::optional<CheckpointReader>& resumed);

class RunCheckpoints {
 public:
  // `data_order` names the order of the training samples (Sampler::order_id): a resumed run whose data is now ordered
  // otherwise is warned, because it may see samples twice or never.
  RunCheckpoints(const std::filesystem::path& run_folder, const Recipe& recipe, const HfSideCar& side_car,
                 std::string data_order, comm::Communicator* ranks);

  // Fills the optimiser: masters and, unless checkpoint.load_optimizer is off, the moments and their count of steps.
  void load(const CheckpointReader& resumed, Optimizer& optimizer);
  // A collective call. Asynchronous: returns once the tensors are copied, and writes in the background.
  void save(const Optimizer& optimizer, const RunProgress& progress, bool asynchronous);
  // Warns when a save in the background has failed since.
  void poll() { writer_.poll(); }
  // Of the last checkpoint that this object saved or loaded; empty before.
  const std::string& last_folder() const { return last_folder_; }

 private:
  const Recipe recipe_;
  const HfSideCar side_car_;
  const std::string data_order_;
  CheckpointWriter writer_;
  std::string last_folder_;
};

}  // namespace longhaul
