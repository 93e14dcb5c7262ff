// AdamW over a model's flat buffers, with FP32 master weights, and gradient clipping by the global norm.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longhaul/model/parameter_store.h"
#include "longhaul/optim/optimizer_config.h"

namespace longhaul {

class Optimizer {
 public:
  // `store` must outlive the optimiser and have main gradients. In an FP32 run the masters are the model's own values;
  // otherwise they are a second, FP32 buffer, and the model holds their rounded copy.
  Optimizer(ParameterStore& store, const OptimizerConfig& config);

  // The FP32 masters, by parameter: what initialisation and loading write to. Call `publish` afterwards.
  std::vector<Parameter>& masters() { return masters_; }
  const std::vector<Parameter>& masters() const { return masters_; }
  const std::vector<Parameter>& moments1() const { return moments1_; }
  const std::vector<Parameter>& moments2() const { return moments2_; }
  // Copies the masters, rounded, into the model.
  void publish();

  // One step with the gradients in the store, which are cleared. Returns the norm of the gradient before clipping.
  // A norm that is not finite leaves everything as it was and is returned; the caller decides.
  double step(double learning_rate);

  int64_t steps_taken() const { return steps_taken_; }
  void set_steps_taken(int64_t steps) { steps_taken_ = steps; }

 private:
  ParameterStore& store_;
  const OptimizerConfig config_;
  at::Tensor master_, moment1_, moment2_;  // flat, FP32
  std::vector<Parameter> masters_, moments1_, moments2_;
  int64_t steps_taken_ = 0;
};

}  // namespace longhaul
