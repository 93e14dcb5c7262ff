// AdamW over a model's units, with FP32 master weights, and gradient clipping by the global norm, over any layout of
// ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/model/flat_pieces.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/optim/data_parallel.h"
#include "longhaul/optim/gradient_sums.h"
#include "longhaul/ops/adamw.h"
#include "longhaul/optim/optimizer_config.h"

namespace longhaul {

class HostUnits;
namespace ops {
class HostCopies;
}

// The ranks that a step is shared with; null: none. They outlive the optimiser.
struct OptimizerRanks {
  comm::Communicator* data = nullptr;   // those that hold the same parameters and read other samples
  comm::Communicator* model = nullptr;  // those that hold the parts of one copy of the model
  comm::Communicator* ends = nullptr;   // first and last pipeline stage, where they share a tied embedding
  Sharding sharding = Sharding::none;   // over the data-parallel ranks
  GradientReduction gradient_reduction = GradientReduction::fp32;  // theirs
};

class Optimizer {
 public:
  // `store` must outlive the optimiser and have main gradients; where there are data-parallel ranks, its flat_multiple
  // is their number. In an FP32 run the masters are the model's own values; otherwise they are a second, FP32 buffer,
  // and the model holds their rounded copy. With config.offload masters and moments are in host memory, and stepped
  // over by the CPU. While it lives, the store's events go to it. A collective call over the store's tensor group.
  Optimizer(ParameterStore& store, const OptimizerConfig& config, const OptimizerRanks& ranks = {});
  ~Optimizer();

  // Sets the masters: `fill` is called for each unit, and writes this rank's parameters of it, in FP32, but their
  // padding. Sharded, these are the rows of them that its share of the unit reaches into, perhaps none: go by `blocks`.
  void fill(const std::function<void(std::vector<Parameter>& parameters)>& fill);

  // Masters and moments as rectangles of the global tensors. `all`: what this rank holds, to be loaded; `owned`: what
  // it saves, so that all ranks together save each element once.
  struct Piece {
    std::string name;                     // of the parameter
    at::Tensor master, moment1, moment2;  // FP32 views
    std::vector<int64_t> global_shape, offsets;
  };
  std::vector<Piece> pieces(PieceChoice choice) const;

  // Copies the masters, rounded, into the model. A collective call where sharded. After a load.
  void publish();
  // A step's values may still be on their way to the other ranks when it returns; passes through the model wait for
  // what they use. This waits for all, before the ranks part or look at the values themselves.
  void wait_for_values() { data_.wait_for_values(); }

  // One step with the gradients in the store, which are summed over the ranks and cleared. Returns the global norm of
  // the gradient before clipping, the same on all ranks. A norm that is not finite leaves masters and moments as they
  // were and is returned; the caller decides. It waits for a GPU's norm alone, while the GPU goes on with the new
  // values. A collective call.
  double step(double learning_rate);

  int64_t steps_taken() const { return steps_taken_; }
  void set_steps_taken(int64_t steps) { steps_taken_ = steps; }

 private:
  // Of a unit: FP32 (FP64), as long as the rank's share of it.
  struct State {
    at::Tensor master, moment1, moment2;
  };
  at::Tensor sum_gradients();
  void update(size_t unit, ops::AdamWOptions options);
  void update(size_t unit, FlatRange range, const at::Tensor& gradients, const at::Tensor& values,
              const ops::AdamWOptions& options);

  ParameterStore& store_;
  const OptimizerConfig config_;
  const OptimizerRanks ranks_;
  DataParallel data_;
  std::vector<State> states_;        // by unit
  std::unique_ptr<HostUnits> host_;  // with OptimizerConfig::offload
  const std::unique_ptr<const ops::HostCopies> copies_;
  GradientSums sums_;
  int64_t steps_taken_ = 0;
};

}  // namespace longhaul
