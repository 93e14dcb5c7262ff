// Which parameters a model has: names, global shapes, how each is cut, decayed and initialised. The list is made
// by building the model without its memory; import, export and checkpoints find parameters by these names.
#pragma once

#include <string>
#include <vector>

#include "longhaul/model/model_config.h"
#include "longhaul/model/parameter.h"

namespace longhaul {

struct ParameterSpec {
  std::string name;  // "decoder.layers.3.self_attention.linear_qkv.weight"
  ShardSpec shard;
};

// In the order of the forward pass: embeddings, layers from the first to the last, final norm, output layer (absent
// when it is the token embedding). `model` must be resolved: heads, kv_heads, head_dim, ffn_hidden and vocab_size are
// set. Linear weights are [out, in].
//
//   embedding.word_embeddings.weight                   [V, h]
//   embedding.position_embeddings.weight               [P, h]            learned positions
//   decoder.layers.{i}.input_layernorm.weight/bias     [h]               bias: LayerNorm
//   decoder.layers.{i}.self_attention.linear_qkv.*     [(a + 2g)·d, h]   a group's query heads, its key, its value; …
//   decoder.layers.{i}.self_attention.linear_proj.*    [h, a·d]
//   decoder.layers.{i}.pre_mlp_layernorm.*             [h]
//   decoder.layers.{i}.mlp.linear_fc1.*                [f, h], or [2f, h] when gated: gate rows, then up rows
//   decoder.layers.{i}.mlp.linear_fc2.*                [h, f]
//   decoder.final_layernorm.*                          [h]
//   output_layer.weight                                [V, h]            untied
std::vector<ParameterSpec> parameter_layout(const ModelConfig& model);

}  // namespace longhaul
