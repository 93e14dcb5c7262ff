#include "longhaul/model/parameter_layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numeric>

namespace longhaul {
namespace {

std::map<std::string, ShardSpec> by_name(const ModelConfig& model) {
  std::map<std::string, ShardSpec> result;
  for (auto& [name, shard] : parameter_layout(model)) {
    EXPECT_TRUE(result.emplace(name, shard).second) << name << " appears twice";
  }
  return result;
}

int64_t count(const ModelConfig& model) {
  int64_t total = 0;
  for (const auto& spec : parameter_layout(model)) {
    total += std::accumulate(spec.shard.global_shape.begin(), spec.shard.global_shape.end(), int64_t{1},
                             std::multiplies<>());
  }
  return total;
}

ModelConfig gpt2() {
  ModelConfig model;
  model.family = "gpt";
  model.layers = 12;
  model.hidden = 768;
  model.heads = model.kv_heads = 12;
  model.head_dim = 64;
  model.ffn_hidden = 3072;
  model.vocab_size = 50257;
  model.max_positions = 1024;
  model.normalization = Normalization::layer_norm;
  model.activation = Activation::gelu_tanh;
  model.gated = false;
  model.position = PositionEmbedding::learned;
  model.qkv_bias = model.linear_bias = model.tied_embeddings = true;
  return model;
}

ModelConfig llama(int64_t layers, int64_t hidden, int64_t ffn, int64_t heads, int64_t groups, int64_t head_dim,
                  int64_t vocab) {
  ModelConfig model;
  model.layers = layers;
  model.hidden = hidden;
  model.heads = heads;
  model.kv_heads = groups;
  model.head_dim = head_dim;
  model.ffn_hidden = ffn;
  model.vocab_size = vocab;
  return model;
}

ModelConfig nemotron(int64_t layers, int64_t hidden, int64_t ffn, int64_t heads, int64_t groups, int64_t head_dim) {
  ModelConfig model = llama(layers, hidden, ffn, heads, groups, head_dim, 256000);
  model.family = "nemotron";
  model.normalization = Normalization::layer_norm;
  model.norm_zero_centered = true;
  model.activation = Activation::squared_relu;
  model.gated = false;
  model.rotary_fraction = 0.5;
  return model;
}

// The published parameter counts.
TEST(ParameterLayout, CountsOfRealModels) {
  EXPECT_EQ(count(gpt2()), 124'439'808);
  EXPECT_EQ(count(llama(22, 2048, 5632, 32, 4, 64, 32000)), 1'100'048'384);      // TinyLlama
  EXPECT_EQ(count(llama(32, 4096, 11008, 32, 32, 128, 32000)), 6'738'415'616);   // Llama-2-7B
  EXPECT_EQ(count(llama(80, 8192, 28672, 64, 8, 128, 128256)), 70'553'706'496);  // Llama-3-70B
  ModelConfig small = llama(16, 2048, 8192, 32, 8, 64, 128256);                  // Llama-3.2-1B
  small.tied_embeddings = true;
  EXPECT_EQ(count(small), 1'235'814'400);
  EXPECT_EQ(count(nemotron(32, 6144, 24576, 48, 8, 128)), 15'628'775'424);  // Nemotron-4 15B
  EXPECT_EQ(count(nemotron(96, 18432, 73728, 96, 8, 192)), 341'029'195'776);
}

TEST(ParameterLayout, GptNamesAndShapes) {
  const auto specs = by_name(gpt2());
  EXPECT_EQ(specs.size(), 2u + 12 * 12 + 2);
  EXPECT_EQ(specs.at("embedding.position_embeddings.weight").global_shape, (std::vector<int64_t>{1024, 768}));
  EXPECT_EQ(specs.at("decoder.layers.11.self_attention.linear_qkv.weight").global_shape,
            (std::vector<int64_t>{2304, 768}));
  EXPECT_EQ(specs.at("decoder.layers.11.self_attention.linear_qkv.bias").global_shape, (std::vector<int64_t>{2304}));
  EXPECT_EQ(specs.at("decoder.layers.0.mlp.linear_fc1.weight").global_shape, (std::vector<int64_t>{3072, 768}));
  EXPECT_EQ(specs.count("output_layer.weight"), 0u);
  EXPECT_EQ(specs.count("decoder.layers.12.input_layernorm.weight"), 0u);
  EXPECT_EQ(specs.at("decoder.final_layernorm.weight").init, Init::ones);
}

TEST(ParameterLayout, AttentionBiasAloneReachesTheProjection) {
  ModelConfig model = llama(1, 64, 96, 4, 2, 24, 100);
  model.qkv_bias = model.proj_bias = true;
  const auto specs = by_name(model);
  EXPECT_EQ(specs.at("decoder.layers.0.self_attention.linear_qkv.weight").global_shape,
            (std::vector<int64_t>{(4 + 2 * 2) * 24, 64}));
  EXPECT_EQ(specs.at("decoder.layers.0.self_attention.linear_proj.weight").global_shape,
            (std::vector<int64_t>{64, 4 * 24}));
  EXPECT_EQ(specs.count("decoder.layers.0.self_attention.linear_proj.bias"), 1u);
  EXPECT_EQ(specs.count("decoder.layers.0.mlp.linear_fc1.bias"), 0u);
  EXPECT_EQ(specs.count("decoder.layers.0.input_layernorm.bias"), 0u);
  EXPECT_EQ(specs.at("output_layer.weight").global_shape, (std::vector<int64_t>{100, 64}));
}

TEST(ParameterLayout, ShardingAndDecay) {
  ModelConfig model = nemotron(4, 64, 96, 4, 2, 16);
  model.linear_bias = model.qkv_bias = true;
  model.gated = true;
  model.init_std = 0.01;
  const auto specs = by_name(model);
  const auto& fc1 = specs.at("decoder.layers.1.mlp.linear_fc1.weight");
  EXPECT_EQ(fc1.tensor_dim, 0);
  EXPECT_EQ(fc1.parts, 2);
  EXPECT_EQ(fc1.global_shape[0], 192);
  EXPECT_TRUE(fc1.weight_decay);
  EXPECT_DOUBLE_EQ(fc1.init_std, 0.01);
  const auto& fc1_bias = specs.at("decoder.layers.1.mlp.linear_fc1.bias");
  EXPECT_EQ(fc1_bias.tensor_dim, 0);
  EXPECT_EQ(fc1_bias.parts, 2);
  EXPECT_FALSE(fc1_bias.weight_decay);
  EXPECT_FALSE(fc1_bias.per_token);
  const auto& fc2 = specs.at("decoder.layers.1.mlp.linear_fc2.weight");
  EXPECT_EQ(fc2.tensor_dim, 1);
  EXPECT_DOUBLE_EQ(fc2.init_std, 0.01 / std::sqrt(8.0));
  const auto& proj_bias = specs.at("decoder.layers.1.self_attention.linear_proj.bias");
  EXPECT_EQ(proj_bias.tensor_dim, -1);
  EXPECT_TRUE(proj_bias.per_token);
  const auto& norm = specs.at("decoder.layers.1.pre_mlp_layernorm.weight");
  EXPECT_EQ(norm.init, Init::zeros);  // zero-centred: gamma - 1
  EXPECT_TRUE(norm.per_token);
  EXPECT_FALSE(norm.weight_decay);
  EXPECT_EQ(specs.at("embedding.word_embeddings.weight").tensor_dim, 0);
  EXPECT_EQ(specs.count("embedding.position_embeddings.weight"), 0u);

  model.scaled_init = false;
  EXPECT_DOUBLE_EQ(by_name(model).at("decoder.layers.1.mlp.linear_fc2.weight").init_std, 0.01);
}

}  // namespace
}  // namespace longhaul
