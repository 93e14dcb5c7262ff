// Nemotron-3 and Nemotron-4: Hugging Face `nemotron`. LayerNorm with gamma - 1 in the file (the +1 is in the
// forward pass there as here), squared ReLU, and half of each head rotated.
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/model/hf_config.h"
#include "model/builtin_families.h"
#include "model/hf_decoder_config.h"

namespace longhaul::nemotron {

ModelConfig read_config(const nlohmann::json& config) {
  HfConfigReader reader(config);
  ModelConfig model;
  model.family = "nemotron";
  model.hidden = reader.positive("hidden_size", 6144);
  model.layers = reader.positive("num_hidden_layers", 32);
  model.ffn_hidden = reader.positive("intermediate_size", 24576);
  model.vocab_size = reader.positive("vocab_size", 256000);
  model.max_positions = reader.positive("max_position_embeddings", 4096);
  read_hf_heads(reader, 48, model);
  model.normalization = Normalization::layer_norm;
  model.norm_zero_centered = true;
  model.norm_eps = reader.number_of("norm_eps", "norm_eps", 1e-5);
  model.activation = parse_hf_activation("hidden_act", reader.text("hidden_act", "relu2"));
  model.gated = false;
  const HfRope rope = read_hf_rope(reader, 0.5, model.max_positions);
  model.position = PositionEmbedding::rope;
  model.rope_theta = rope.theta;
  model.rotary_fraction = rope.fraction;
  model.rope_scaling = rope.scaling;
  read_hf_biases(reader, model);
  model.tied_embeddings = reader.boolean("tie_word_embeddings", false);
  model.attention_dropout = reader.probability("attention_dropout", 0);
  model.init_std = reader.number_of("init_std", "initializer_range", 0.0134);
  reader.finish();
  return model;
}

void write_config(const ModelConfig& model, nlohmann::json& config) {
  constexpr auto kFamily = "nemotron";
  require_exportable(model.normalization == Normalization::layer_norm, kFamily, "it has RMSNorm, not LayerNorm");
  require_exportable(!model.gated, kFamily, "its MLP is gated");
  require_exportable(model.position == PositionEmbedding::rope, kFamily, "its positions are learned");
  require_plain_attention(model, kFamily);

  write_hf_decoder(model, kFamily, config);
  set_hf_number(config, "norm_eps", model.norm_eps);
  set_hf_activation(config, "hidden_act", model.activation);
  set_hf_number(config, "partial_rotary_factor", model.rotary_fraction);
}

}  // namespace longhaul::nemotron
