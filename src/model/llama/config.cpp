// Llama 2, 3, 3.1, 3.2 and TinyLlama: Hugging Face `llama`.
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/model/hf_config.h"
#include "model/builtin_families.h"
#include "model/hf_decoder_config.h"

namespace longhaul::llama {

ModelConfig read_config(const nlohmann::json& config) {
  HfConfigReader reader(config);
  ModelConfig model;
  model.family = "llama";
  model.hidden = reader.positive("hidden_size", 4096);
  model.layers = reader.positive("num_hidden_layers", 32);
  model.ffn_hidden = reader.positive("intermediate_size", 11008);
  model.vocab_size = reader.positive("vocab_size", 32000);
  model.max_positions = reader.positive("max_position_embeddings", 2048);
  read_hf_heads(reader, 32, model);
  model.normalization = Normalization::rms_norm;
  model.norm_eps = reader.number_of("norm_eps", "rms_norm_eps", 1e-6);
  model.activation = parse_hf_activation("hidden_act", reader.text("hidden_act", "silu"));
  model.gated = true;
  const HfRope rope = read_hf_rope(reader, 1.0, model.max_positions);
  if (rope.fraction != 1.0) {
    throw UserError("config.json: 'partial_rotary_factor' is {}, but a llama model rotates every channel",
                    rope.fraction);
  }
  model.position = PositionEmbedding::rope;
  model.rope_theta = rope.theta;
  model.rope_scaling = rope.scaling;
  read_hf_biases(reader, model);
  model.tied_embeddings = reader.boolean("tie_word_embeddings", false);
  model.attention_dropout = reader.probability("attention_dropout", 0);
  model.init_std = reader.number_of("init_std", "initializer_range", 0.02);
  reader.ignore({"pretraining_tp"});  // only the order of some sums
  reader.finish();
  return model;
}

void write_config(const ModelConfig& model, nlohmann::json& config) {
  constexpr auto kFamily = "llama";
  require_exportable(model.normalization == Normalization::rms_norm, kFamily, "it has LayerNorm, not RMSNorm");
  require_exportable(model.gated, kFamily, "its MLP is not gated");
  require_exportable(model.position == PositionEmbedding::rope, kFamily, "its positions are learned");
  require_exportable(model.rotary_fraction == 1.0, kFamily, "only a part of each head is rotated");
  require_plain_attention(model, kFamily);

  write_hf_decoder(model, kFamily, config);
  set_hf_number(config, "rms_norm_eps", model.norm_eps);
  set_hf_activation(config, "hidden_act", model.activation);
}

}  // namespace longhaul::llama
