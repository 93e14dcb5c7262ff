#pragma once

#include <memory>
#include <vector>

#include "longhaul/model/layer_spec.h"
#include "longhaul/ops/norm.h"
#include "model/residual_stream.h"

namespace longhaul {

// Norm of the stream: adds the pending update, returns the normalised sum and leaves the sum in `stream.hidden`.
class ResidualNorm {
 public:
  ResidualNorm(const ModelConfig& config, const std::string& prefix, ParameterStore& store);
  at::Tensor forward(ResidualStream& stream) const;
  // The same output from the sum alone, bit for bit.
  at::Tensor again(const at::Tensor& hidden) const;

 private:
  const std::string prefix_;
  const ParameterStore& store_;
  const ops::NormOptions options_;
};

// One transformer layer, built from a LayerSpec.
class TransformerLayer {
 public:
  TransformerLayer(const ModelConfig& config, const LayerSpec& spec, int64_t layer, ParameterStore& store);
  ResidualStream forward(const ResidualStream& input, LayerContext context);

 private:
  struct Sublayer {
    ResidualNorm norm;
    std::unique_ptr<Mixer> mixer;
    std::string name;  // "decoder.layers.3.mlp"
  };
  ResidualStream run_and_replay(const ResidualStream& input, const LayerContext& context) const;
  ResidualStream run(ResidualStream stream, const LayerContext& context) const;
  ResidualStream run(const Sublayer& sublayer, ResidualStream stream, const LayerContext& context) const;

  const int64_t layer_;
  const double dropout_;
  std::vector<Sublayer> sublayers_;
};

}  // namespace longhaul
