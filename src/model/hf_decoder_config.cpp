#include "model/hf_decoder_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

void write_heads(const ModelConfig& model, nlohmann::json& config) {
  set_hf_integer(config, "num_attention_heads", model.heads);
  set_hf_integer(config, "num_key_value_heads",
                 model.kv_heads);  // never null: Nemotron in transformers 5 fails on it
  set_hf_integer_or_null(config, "head_dim", model.head_dim, model.hidden / model.heads);
}

void write_biases(const ModelConfig& model, std::string_view family, nlohmann::json& config) {
  require_exportable(model.qkv_bias == model.has_proj_bias(), family,
                     "either all of the attention's linears have a bias there, or none");
  config["attention_bias"] = model.qkv_bias;
  config["mlp_bias"] = model.linear_bias;
}

}  // namespace

void read_hf_heads(HfConfigReader& reader, int64_t default_heads, ModelConfig& model) {
  model.heads = reader.positive("num_attention_heads", default_heads);
  model.kv_heads = reader.positive("num_key_value_heads", model.heads);
  if (model.heads % model.kv_heads != 0) {
    throw UserError("config.json: 'num_attention_heads' {} is not a multiple of 'num_key_value_heads' {}", model.heads,
                    model.kv_heads);
  }
  if (!reader.has("head_dim") && model.hidden % model.heads != 0) {
    throw UserError(
        "config.json: 'hidden_size' {} is not a multiple of 'num_attention_heads' {}, and 'head_dim' is not "
        "given",
        model.hidden, model.heads);
  }
  model.head_dim = reader.positive("head_dim", model.hidden / model.heads);
}

void read_hf_biases(HfConfigReader& reader, ModelConfig& model) {
  const bool attention = reader.boolean("attention_bias", false);
  const bool mlp = reader.boolean("mlp_bias", false);
  if (mlp && !attention) {
    throw UserError(
        "config.json: 'mlp_bias' is true and 'attention_bias' is false: biases of the MLP alone are not "
        "supported");
  }
  model.qkv_bias = attention;
  model.proj_bias = attention;
  model.linear_bias = mlp;
}

void write_hf_decoder(const ModelConfig& model, std::string_view family, nlohmann::json& config) {
  set_hf_integer(config, "hidden_size", model.hidden);
  set_hf_integer(config, "num_hidden_layers", model.layers);
  set_hf_integer(config, "intermediate_size", model.ffn_hidden);
  set_hf_integer(config, "vocab_size", model.vocab_size);
  set_hf_integer(config, "max_position_embeddings", model.max_positions);
  write_heads(model, config);
  write_biases(model, family, config);
  write_hf_rope(model, config);
  config["tie_word_embeddings"] = model.tied_embeddings;
  set_hf_number(config, "attention_dropout", model.attention_dropout);
  set_hf_number(config, "initializer_range", model.init_std);
  if (!config.contains("use_cache")) config["use_cache"] = true;
}

void require_plain_attention(const ModelConfig& model, std::string_view family) {
  const double usual = 1.0 / std::sqrt(static_cast<double>(model.head_dim));
  require_exportable(model.attention_scale == 0 || std::abs(model.attention_scale / usual - 1) < 1e-12, family,
                     "its attention scale is not 1 / sqrt(head_dim)");
  require_exportable(model.logit_softcap == 0, family, "its logits are capped");
}

}  // namespace longhaul
