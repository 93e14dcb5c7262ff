#pragma once

#include "longhaul/model/layer_spec.h"

namespace longhaul {

// fc2(act(fc1(x))), or fc2(act(gate) · up) where fc1 holds the gate's rows first, then up's.
class Mlp final : public Mixer {
 public:
  Mlp(const ModelConfig& config, const std::string& prefix, ParameterStore& store);
  at::Tensor forward(const at::Tensor& normed, const LayerContext& context) override;

 private:
  at::Tensor activation_in_products(const at::Tensor& normed, bool discard);
  at::Tensor activation_apart(const at::Tensor& normed, bool discard);
  ops::Weight weight(const char* name) const;
  ops::Weight bias(const char* name) const;  // undefined without biases

  const std::string prefix_;
  const ParameterStore& store_;
  const TensorGroup tensor_;
  const Activation activation_;
  const bool gated_, has_bias_;
};

}  // namespace longhaul
