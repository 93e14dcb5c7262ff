// Fields of config.json that Llama and Nemotron share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "longhaul/model/hf_config.h"
#include "longhaul/model/model_config.h"

namespace longhaul {

// num_attention_heads, num_key_value_heads (null: as many) and head_dim (null: hidden / heads).
// `model.hidden` is set.
void read_hf_heads(HfConfigReader& reader, int64_t default_heads, ModelConfig& model);

// attention_bias (query, key, value and output) and mlp_bias.
void read_hf_biases(HfConfigReader& reader, ModelConfig& model);

// Sizes, heads, biases, rotary embedding, dropout and initialisation, as both write them.
void write_hf_decoder(const ModelConfig& model, std::string_view family, nlohmann::json& config);

// Refuses a scale other than 1 / sqrt(head_dim), and capped logits.
void require_plain_attention(const ModelConfig& model, std::string_view family);

}  // namespace longhaul
