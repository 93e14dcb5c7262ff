#include "longhaul/model/layer_spec.h"

#include "model/mlp.h"
#include "model/self_attention.h"

namespace longhaul {

MixerFactory self_attention_mixer() {
  return [](const ModelConfig& config, int64_t layer, const std::string& prefix, ParameterStore& store) {
    return std::make_unique<SelfAttention>(config, layer, prefix, store);
  };
}

MixerFactory mlp_mixer() {
  return [](const ModelConfig& config, int64_t, const std::string& prefix, ParameterStore& store) {
    return std::make_unique<Mlp>(config, prefix, store);
  };
}

LayerSpec decoder_layer_spec() {
  return {{{"input_layernorm", "self_attention", self_attention_mixer()}, {"pre_mlp_layernorm", "mlp", mlp_mixer()}}};
}

}  // namespace longhaul
