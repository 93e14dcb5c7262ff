// GPT-2 and models of GPT-3's shape: Hugging Face `gpt2`.
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/model/hf_config.h"
#include "model/builtin_families.h"

namespace longhaul::gpt {

ModelConfig read_config(const nlohmann::json& config) {
  HfConfigReader reader(config);
  ModelConfig model;
  model.family = "gpt";
  model.hidden = reader.positive("n_embd", 768);
  model.layers = reader.positive("n_layer", 12);
  model.heads = model.kv_heads = reader.positive("n_head", 12);
  if (model.hidden % model.heads != 0) {
    throw UserError("config.json: 'n_embd' {} is not a multiple of 'n_head' {}", model.hidden, model.heads);
  }
  model.head_dim = model.hidden / model.heads;
  model.ffn_hidden = reader.positive("n_inner", 4 * model.hidden);
  model.vocab_size = reader.positive("vocab_size", 50257);
  model.max_positions = reader.positive("n_positions", 1024);
  model.normalization = Normalization::layer_norm;
  model.norm_eps = reader.number_of("norm_eps", "layer_norm_epsilon", 1e-5);
  model.activation = parse_hf_activation("activation_function", reader.text("activation_function", "gelu_new"));
  model.gated = false;
  model.position = PositionEmbedding::learned;
  model.qkv_bias = model.linear_bias = true;
  model.tied_embeddings = reader.boolean("tie_word_embeddings", true);
  if (!reader.boolean("scale_attn_weights", true)) model.attention_scale = 1;
  reader.refuse("scale_attn_by_inverse_layer_idx", "attention that is scaled by the layer's number is not supported");
  model.hidden_dropout = reader.probability("resid_pdrop", 0.1);
  model.embedding_dropout = reader.probability("embd_pdrop", 0.1);
  model.attention_dropout = reader.probability("attn_pdrop", 0.1);
  model.init_std = reader.number_of("init_std", "initializer_range", 0.02);
  // reorder_and_upcast_attn is about rounding alone; the summary_* fields belong to a classification head.
  reader.ignore({"reorder_and_upcast_attn", "n_ctx", "summary_type", "summary_use_proj", "summary_activation",
                 "summary_proj_to_labels", "summary_first_dropout"});
  reader.finish();
  return model;
}

void write_config(const ModelConfig& model, nlohmann::json& config) {
  constexpr auto kFamily = "gpt2";
  require_exportable(model.normalization == Normalization::layer_norm, kFamily, "it has RMSNorm, not LayerNorm");
  require_exportable(!model.gated, kFamily, "its MLP is gated");
  require_exportable(model.position == PositionEmbedding::learned, kFamily, "its positions are rotary, not learned");
  require_exportable(model.qkv_bias && model.linear_bias, kFamily, "its linears lack biases");
  require_exportable(model.kv_heads == model.heads, kFamily, "several query heads share one key and value (GQA)");
  require_exportable(model.head_dim * model.heads == model.hidden, kFamily, "its head_dim is not hidden / heads");
  require_exportable(model.logit_softcap == 0, kFamily, "its logits are capped");
  const double usual = 1.0 / std::sqrt(static_cast<double>(model.head_dim));
  const bool scaled = model.attention_scale == 0 || std::abs(model.attention_scale / usual - 1) < 1e-12;
  require_exportable(scaled || model.attention_scale == 1, kFamily,
                     "its attention scale is neither 1 / sqrt(head_dim) nor 1");

  set_hf_integer(config, "n_embd", model.hidden);
  set_hf_integer(config, "n_layer", model.layers);
  set_hf_integer(config, "n_head", model.heads);
  set_hf_integer_or_null(config, "n_inner", model.ffn_hidden, 4 * model.hidden);
  set_hf_integer(config, "vocab_size", model.vocab_size);
  set_hf_integer(config, "n_positions", model.max_positions);
  if (config.contains("n_ctx")) set_hf_integer(config, "n_ctx", model.max_positions);
  set_hf_number(config, "layer_norm_epsilon", model.norm_eps);
  set_hf_activation(config, "activation_function", model.activation);
  config["tie_word_embeddings"] = model.tied_embeddings;
  config["scale_attn_weights"] = scaled;
  config["scale_attn_by_inverse_layer_idx"] = false;
  set_hf_number(config, "resid_pdrop", model.hidden_dropout);
  set_hf_number(config, "embd_pdrop", model.embedding_dropout);
  set_hf_number(config, "attn_pdrop", model.attention_dropout);
  set_hf_number(config, "initializer_range", model.init_std);
  if (!config.contains("use_cache")) config["use_cache"] = true;
}

}  // namespace longhaul::gpt
