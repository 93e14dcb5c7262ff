// Attention's fields of config.json, which Llama and Nemotron share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "longhaul/model/hf_config.h"
#include "longhaul/model/model_config.h"

namespace longhaul {

// num_attention_heads, num_key_value_heads (null: as many) and head_dim (null: hidden / heads).
// `model.hidden` is set.
void read_hf_heads(HfConfigReader& reader, int64_t default_heads, ModelConfig& model);
void write_hf_heads(const ModelConfig& model, nlohmann::json& config);

// attention_bias (query, key, value and output) and mlp_bias.
void read_hf_biases(HfConfigReader& reader, ModelConfig& model);
void write_hf_biases(const ModelConfig& model, std::string_view family, nlohmann::json& config);

// Refuses a scale other than 1 / sqrt(head_dim), and capped logits.
void require_plain_attention(const ModelConfig& model, std::string_view family);

}  // namespace longhaul
