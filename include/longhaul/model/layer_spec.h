// The parts that a transformer layer is built from. A layer is a list of sublayers, each
//     update = dropout(mixer(norm(hidden)));  hidden = hidden + update
// and a `Mixer` is what stands between norm and residual: self-attention, an MLP, or one of the user's own.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/model/layer_context.h"
#include "longhaul/model/model_config.h"
#include "longhaul/model/parameter_store.h"

namespace longhaul {

class Mixer {
 public:
  virtual ~Mixer() = default;
  // normed [tokens, hidden] -> update [tokens, hidden]. Called after the store has allocated.
  virtual at::Tensor forward(const at::Tensor& normed, const LayerContext& context) = 0;
};

// Makes a mixer for layer `layer`. Its parameters are declared in `store` under `prefix`, e.g.
// "decoder.layers.3.mlp."; their tensors exist only later, when `forward` is called.
using MixerFactory = std::function<std::unique_ptr<Mixer>(const ModelConfig& config, int64_t layer,
                                                          const std::string& prefix, ParameterStore& store)>;

struct SublayerSpec {
  std::string norm;  // name of the norm's parameters, e.g. "input_layernorm"
  std::string name;  // name of the mixer's parameters, e.g. "self_attention"
  MixerFactory mixer;
};

struct LayerSpec {
  std::vector<SublayerSpec> sublayers;
};

MixerFactory self_attention_mixer();
MixerFactory mlp_mixer();

// Attention, then MLP: the layer of Llama, GPT and Nemotron; their differences are fields of ModelConfig.
LayerSpec decoder_layer_spec();

}  // namespace longhaul
