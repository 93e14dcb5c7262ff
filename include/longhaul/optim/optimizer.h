// AdamW over a model's flat buffers, with FP32 master weights, and gradient clipping by the global norm, over any layout
// of ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longhaul/model/flat_pieces.h"
#include "longhaul/model/gradient_sums.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/optim/optimizer_config.h"

namespace longhaul {

// The ranks that a step is shared with; null: none. They outlive the optimiser.
struct OptimizerRanks {
  comm::Communicator* data = nullptr;   // those that hold the same parameters and read other samples
  comm::Communicator* model = nullptr;  // those that hold the parts of one copy of the model
  comm::Communicator* ends = nullptr;   // first and last pipeline stage, where they share a tied embedding
  // Each data-parallel rank keeps masters and moments of its share of the flat buffers alone (ZeRO 1: Rajbhandari et
  // al., "ZeRO: memory optimizations toward training trillion parameter models", 2020).
  bool sharded = false;
};

class Optimizer {
 public:
  // `store` must outlive the optimiser and have main gradients; sharded, its flat_multiple is the number of
  // data-parallel ranks. In an FP32 run the masters are the model's own values; otherwise they are a second, FP32
  // buffer, and the model holds their rounded copy. A collective call over the store's tensor group.
  Optimizer(ParameterStore& store, const OptimizerConfig& config, const OptimizerRanks& ranks = {});

  // Sets the masters: `fill` writes this rank's parameters, in FP32, and leaves their padding alone.
  void fill(const std::function<void(std::vector<Parameter>& parameters)>& fill);

  // Masters and moments as rectangles of the global tensors. `all`: what this rank holds, to be loaded; `owned`: what
  // it saves, so that all ranks together save each element once.
  struct Piece {
    std::string name;  // of the parameter
    at::Tensor master, moment1, moment2;  // FP32 views
    std::vector<int64_t> global_shape, offsets;
  };
  std::vector<Piece> pieces(PieceChoice choice) const;

  // Copies the masters, rounded, into the model. A collective call where sharded. After a load.
  void publish();

  // One step with the gradients in the store, which are summed over the ranks and cleared. Returns the global norm of
  // the gradient before clipping, the same on all ranks. A norm that is not finite leaves masters and moments as they
  // were and is returned; the caller decides. A collective call.
  double step(double learning_rate);

  int64_t steps_taken() const { return steps_taken_; }
  void set_steps_taken(int64_t steps) { steps_taken_ = steps; }

 private:
  double sum_gradients();
  at::Tensor part(const at::Tensor& flat, FlatRange range) const;

  ParameterStore& store_;
  const OptimizerConfig config_;
  const OptimizerRanks ranks_;
  FlatRange held_;                         // of the flat buffers: what the masters and moments cover
  at::Tensor master_, moment1_, moment2_;  // FP32, `held_`
  GradientSums sums_;
  int64_t steps_taken_ = 0;
};

}  // namespace longhaul
