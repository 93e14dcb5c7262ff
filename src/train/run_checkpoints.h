// The checkpoints of a run: what of the trainer's state goes into one, and comes back from it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "longhaul/checkpoint/checkpoint_writer.h"
#include "longhaul/optim/optimizer.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

// How far a run has come. Random streams and the data's order are functions of these and of the recipe's seeds, so
// nothing else is needed to go on as if nothing had happened.
struct RunProgress {
  int64_t step = 0;
  int64_t consumed_samples = 0;
  int64_t consumed_tokens = 0;
};

class RunCheckpoints {
 public:
  // `data_order` names the order of the training samples (Dataset::order_id): a resumed run whose data is now ordered
  // otherwise is warned, because it may see samples twice or never.
  RunCheckpoints(const Recipe& recipe, const HfSideCar& side_car, std::string data_order);

  // Fills the optimiser (masters and moments) from the newest good checkpoint; empty when the run has none.
  std::optional<RunProgress> load_latest(Optimizer& optimizer);
  // Asynchronous: returns once the tensors are copied, and writes in the background.
  void save(const Optimizer& optimizer, const RunProgress& progress, bool asynchronous);
  void wait() { writer_.wait(); }
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
