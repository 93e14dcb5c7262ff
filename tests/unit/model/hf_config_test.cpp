// config.json as published models have it, and what must be refused.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/model/family.h"

namespace longhaul {
namespace {

using nlohmann::json;

json llama32_1b() {
  return json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
    "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
    "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})");
}

json gpt2_released() {
  return json::parse(R"({
    "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
    "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
    "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
    "summary_type": "cls_index", "summary_use_proj": true,
    "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "vocab_size": 50257})");
}

json nemotron() {
  return json::parse(
      R"({"model_type": "nemotron", "hidden_size": 3072, "intermediate_size": 9216, "norm_eps": 1e-05,
    "num_attention_heads": 24, "num_key_value_heads": 8, "num_hidden_layers": 32, "vocab_size": 256000,
    "partial_rotary_factor": 0.5, "hidden_act": "relu2", "rope_theta": 10000, "tie_word_embeddings": false})");
}

ModelConfig read(const json& config) {
  return family_of_hf_config(config).read_config(config);
}

std::string refusal(const json& config) {
  try {
    read(config);
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << config.dump();
  return "";
}

json with(json config, const std::string& key, json value) {
  config[key] = std::move(value);
  return config;
}

TEST(HfConfig, Llama32) {
  const ModelConfig model = read(llama32_1b());
  EXPECT_EQ(model.family, "llama");
  EXPECT_EQ(model.layers, 16);
  EXPECT_EQ(model.hidden, 2048);
  EXPECT_EQ(model.heads, 32);
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.head_dim, 64);
  EXPECT_EQ(model.ffn_hidden, 8192);
  EXPECT_EQ(model.vocab_size, 128256);
  EXPECT_EQ(model.max_positions, 131072);
  EXPECT_DOUBLE_EQ(model.norm_eps, 1e-5);
  EXPECT_DOUBLE_EQ(model.rope_theta, 5e5);
  EXPECT_EQ(model.rope_scaling, (RopeScaling{RopeScalingKind::llama3, 32.0, 1.0, 4.0, 8192}));
  EXPECT_TRUE(model.tied_embeddings);
  EXPECT_FALSE(model.qkv_bias || model.linear_bias || model.proj_bias);
}

TEST(HfConfig, DefaultsOfAnEmptyLlama) {
  const ModelConfig model = read({{"model_type", "llama"}});
  EXPECT_EQ(model.kv_heads, 32);
  EXPECT_EQ(model.head_dim, 128);
  EXPECT_EQ(model.ffn_hidden, 11008);
  EXPECT_DOUBLE_EQ(model.norm_eps, 1e-6);
  EXPECT_FALSE(model.tied_embeddings);
}

TEST(HfConfig, Gpt2) {
  const ModelConfig model = read(gpt2_released());
  EXPECT_EQ(model.family, "gpt");
  EXPECT_EQ(model.ffn_hidden, 3072);
  EXPECT_EQ(model.max_positions, 1024);
  EXPECT_EQ(model.activation, Activation::gelu_tanh);
  EXPECT_EQ(model.position, PositionEmbedding::learned);
  EXPECT_TRUE(model.tied_embeddings);  // by default, for this family
  EXPECT_TRUE(model.qkv_bias && model.linear_bias);
  EXPECT_DOUBLE_EQ(model.hidden_dropout, 0.1);
  EXPECT_DOUBLE_EQ(model.attention_scale, 0);
  EXPECT_DOUBLE_EQ(read(with(gpt2_released(), "scale_attn_weights", false)).attention_scale, 1);
}

TEST(HfConfig, Nemotron) {
  const ModelConfig model = read(nemotron());
  EXPECT_EQ(model.head_dim, 128);
  EXPECT_DOUBLE_EQ(model.rotary_fraction, 0.5);
  EXPECT_TRUE(model.norm_zero_centered);
  EXPECT_EQ(model.activation, Activation::squared_relu);
  EXPECT_FALSE(model.gated);
  json without = nemotron();
  without.erase("partial_rotary_factor");
  EXPECT_DOUBLE_EQ(read(without).rotary_fraction, 0.5);
}

TEST(HfConfig, RopeInBothSpellings) {
  json newer = llama32_1b();
  json parameters = newer["rope_scaling"];
  parameters["rope_theta"] = 5e5;
  newer.erase("rope_scaling");
  newer.erase("rope_theta");
  newer["rope_parameters"] = parameters;
  EXPECT_EQ(read(newer), read(llama32_1b()));
  EXPECT_EQ(read(with(llama32_1b(), "rope_parameters", parameters)), read(llama32_1b()));

  const ModelConfig linear = read(with(llama32_1b(), "rope_scaling", {{"type", "linear"}, {"factor", 2}}));
  EXPECT_EQ(linear.rope_scaling.kind, RopeScalingKind::linear);
  EXPECT_DOUBLE_EQ(linear.rope_scaling.factor, 2);

  parameters["rope_theta"] = 1e4;
  EXPECT_NE(refusal(with(llama32_1b(), "rope_parameters", parameters)).find("rope_theta twice"), std::string::npos);
  parameters["factor"] = 8;
  EXPECT_NE(refusal(with(llama32_1b(), "rope_parameters", parameters)).find("disagree"), std::string::npos);
}

TEST(HfConfig, Refusals) {
  const auto expect = [](const json& config, const std::string& part) {
    const std::string message = refusal(config);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  for (const char* type : {"yarn", "dynamic", "longrope", "su"}) {
    expect(with(llama32_1b(), "rope_scaling", {{"rope_type", type}, {"factor", 2.0}}), type);
  }
  expect(with(llama32_1b(), "rope_scaling", {{"rope_type", "llama3"}, {"factor", 2.0}}),
         "rope_scaling.low_freq_factor");
  expect(with(llama32_1b(), "rope_scaling", {{"type", "linear"}, {"factor", 2.0}, {"beta", 1}}), "rope_scaling.beta");
  expect(with(llama32_1b(), "rope_scaling", {{"type", "linear"}, {"factor", 0}}), "factor");
  expect(with(llama32_1b(), "partial_rotary_factor", 0.5), "partial_rotary_factor");
  expect(with(llama32_1b(), "sliding_window", 4096), "sliding_window");
  expect(with(llama32_1b(), "quantization_config", {{"bits", 4}}), "quantization_config");
  expect(with(llama32_1b(), "mlp_bias", true), "mlp_bias");
  expect(with(llama32_1b(), "embedding_multiplier", 12.0), "unknown field 'embedding_multiplier'");
  expect(with(llama32_1b(), "num_key_value_heads", 5), "num_key_value_heads");
  expect(with(llama32_1b(), "num_hidden_layers", 0), "num_hidden_layers");
  expect(with(llama32_1b(), "hidden_size", "2048"), "hidden_size");
  expect(with(llama32_1b(), "attention_bias", 1), "attention_bias");
  expect(with(llama32_1b(), "attention_dropout", 1.5), "attention_dropout");
  expect(with(llama32_1b(), "hidden_act", "xielu"), "xielu");
  expect(with(gpt2_released(), "scale_attn_by_inverse_layer_idx", true), "scale_attn_by_inverse_layer_idx");
  expect(with(gpt2_released(), "add_cross_attention", true), "add_cross_attention");
  expect(with(gpt2_released(), "n_head", 7), "n_head");
  expect(with(llama32_1b(), "model_type", "falcon"), "supported are: llama, gpt2, nemotron");
  expect(json::object(), "model_type");
  expect(json::array(), "model_type");
  EXPECT_NO_THROW(read(with(llama32_1b(), "sliding_window", nullptr)));
  EXPECT_NO_THROW(read(with(llama32_1b(), "is_encoder_decoder", false)));
}

// A config that already says what the model is stays as it is, apart from the old rope fields, which are
// always there.
TEST(HfConfig, WritingLeavesEqualValuesAlone) {
  for (const json& config : {llama32_1b(), nemotron(), with(gpt2_released(), "n_inner", nullptr)}) {
    json written = config;
    family_of_hf_config(config).write_config(read(config), written);
    for (const auto& [key, value] : config.items()) EXPECT_EQ(written[key], value) << key;
    EXPECT_EQ(read(written), read(config));
  }
}

TEST(HfConfig, WritingFromNothingReadsBack) {
  for (const json& config : {llama32_1b(), nemotron(), gpt2_released()}) {
    const ModelFamily& family = family_of_hf_config(config);
    json written = json::object();
    family.write_config(read(config), written);
    EXPECT_EQ(family.read_config(written), read(config));
  }
}

TEST(HfConfig, WritingFollowsTheModel) {
  json config = llama32_1b();
  config["rope_parameters"] = config["rope_scaling"];
  config["rope_parameters"]["rope_theta"] = 5e5;
  ModelConfig model = read(config);
  model.rope_theta = 1e6;
  model.rope_scaling = {RopeScalingKind::linear, 2.0, 1.0, 4.0, 8192};
  model.layers = 20;
  family("llama").write_config(model, config);
  EXPECT_EQ(read(config), model);
  model.rope_scaling = {};
  family("llama").write_config(model, config);
  EXPECT_EQ(read(config), model);
  EXPECT_EQ(config["rope_parameters"]["rope_type"], "default");
}

TEST(HfConfig, WhatAnArchitectureLacksIsNotExported) {
  const auto refusal_of = [](const char* name, ModelConfig model) -> std::string {
    json config;
    try {
      family(name).write_config(model, config);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  const auto changed = [](const json& config, auto change) {
    ModelConfig model = read(config);
    change(model);
    return model;
  };
  EXPECT_NE(refusal_of("gpt", read(llama32_1b())), "");
  EXPECT_NE(refusal_of("llama", read(gpt2_released())), "");
  EXPECT_NE(refusal_of("nemotron", read(llama32_1b())), "");
  EXPECT_NE(refusal_of("gpt", changed(gpt2_released(), [](auto& m) { m.kv_heads = 4; })).find("GQA"),
            std::string::npos);
  EXPECT_NE(refusal_of("gpt", changed(gpt2_released(), [](auto& m) { m.linear_bias = false; })).find("bias"),
            std::string::npos);
  EXPECT_NE(refusal_of("llama", changed(llama32_1b(), [](auto& m) { m.logit_softcap = 30; })).find("capped"),
            std::string::npos);
  EXPECT_NE(refusal_of("llama", changed(llama32_1b(), [](auto& m) { m.qkv_bias = true; })).find("bias"),
            std::string::npos);
  EXPECT_NE(refusal_of("llama", changed(llama32_1b(), [](auto& m) { m.attention_scale = 1; })).find("scale"),
            std::string::npos);
  EXPECT_EQ(refusal_of("llama", changed(llama32_1b(), [](auto& m) { m.attention_scale = 0.125; })), "");
}

TEST(Family, RegisteringOne) {
  ModelFamily mine = family("llama");
  EXPECT_THROW(register_family(mine), UserError);
  const ModelFamily& llama = family("llama");
  mine.name = mine.hf_model_type = "my_llama";
  register_family(mine);
  EXPECT_EQ(family("my_llama").hf_architecture, "LlamaForCausalLM");
  EXPECT_EQ(&family_of_hf_config({{"model_type", "my_llama"}}), &family("my_llama"));
  EXPECT_EQ(&family("llama"), &llama);
  EXPECT_THROW(family("nobody"), UserError);
  const std::vector<std::string> names = family_names();
  EXPECT_EQ(names.back(), "my_llama");
  for (const std::string& name : names) EXPECT_EQ(family(name).name, name);
}

// A value that no checkpoint could be read back with.
TEST(HfConfig, ValuesOutOfRangeAreRefusedByTheirNames) {
  const auto expect = [](const json& config, const std::string& what) {
    EXPECT_NE(refusal(config).find(what), std::string::npos) << refusal(config);
  };
  expect(with(llama32_1b(), "rms_norm_eps", 0), "'rms_norm_eps' is 0");
  expect(with(llama32_1b(), "initializer_range", -1), "'initializer_range' is -1");
  expect(with(nemotron(), "norm_eps", -1e-5), "'norm_eps' is");
  const auto scaled = [](const char* key, const json& value) {
    json config = llama32_1b();
    config["rope_scaling"][key] = value;
    return config;
  };
  expect(scaled("factor", 0.5), "'rope_scaling.factor' is 0.5");
  expect(scaled("low_freq_factor", 0), "'rope_scaling.low_freq_factor' is 0");
  expect(scaled("original_max_position_embeddings", 0), "'rope_scaling.original_max_position_embeddings' is 0");
  expect(scaled("original_max_position_embeddings", 12.5), "'rope_scaling.original_max_position_embeddings' is 12.5");
}

}  // namespace
}  // namespace longhaul
