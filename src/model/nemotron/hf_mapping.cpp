#include "model/builtin_families.h"
#include "model/hf_mapping_rows.h"

namespace longhaul::nemotron {

HfMapping mapping(const ModelConfig& model) {
  const std::string ours = "decoder.layers.{i}.", theirs = "model.layers.{i}.";
  const std::string attention = theirs + "self_attn.", mlp = theirs + "mlp.";
  HfRows rows(model);
  rows.add("embedding.word_embeddings.weight", {"model.embed_tokens.weight"}, hf::identity());
  rows.norm(ours + "input_layernorm", theirs + "input_layernorm", true);
  rows.linear(ours + "self_attention.linear_qkv", {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
              model.qkv_bias, hf::qkv(model.kv_heads, model.heads / model.kv_heads, model.head_dim));
  rows.linear(ours + "self_attention.linear_proj", {attention + "o_proj"}, model.has_proj_bias(), hf::identity());
  rows.norm(ours + "pre_mlp_layernorm", theirs + "post_attention_layernorm", true);
  rows.linear(ours + "mlp.linear_fc1", {mlp + "up_proj"}, model.linear_bias, hf::identity());
  rows.linear(ours + "mlp.linear_fc2", {mlp + "down_proj"}, model.linear_bias, hf::identity());
  rows.norm("decoder.final_layernorm", "model.norm", true);
  if (!model.tied_embeddings) rows.add("output_layer.weight", {"lm_head.weight"}, hf::identity());
  return {.rows = rows.take(),
          .ignored_keys = {attention + "rotary_emb.inv_freq", "model.rotary_emb.inv_freq"},
          .optional_prefix = "",
          .tied_head_key = "lm_head.weight"};
}

}  // namespace longhaul::nemotron
