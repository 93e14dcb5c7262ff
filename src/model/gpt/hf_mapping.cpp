// GPT-2's linears are Conv1D modules, whose weights are [in, out]. The square c_proj must be transposed like
// the others, although its shape does not tell.
#include "model/builtin_families.h"
#include "model/hf_mapping_rows.h"

namespace longhaul::gpt {

HfMapping mapping(const ModelConfig& model) {
  const std::string ours = "decoder.layers.{i}.", theirs = "transformer.h.{i}.";
  HfRows rows(model);
  rows.add("embedding.word_embeddings.weight", {"transformer.wte.weight"}, hf::identity());
  rows.add("embedding.position_embeddings.weight", {"transformer.wpe.weight"}, hf::identity());
  rows.norm(ours + "input_layernorm", theirs + "ln_1", false);
  rows.linear(ours + "self_attention.linear_qkv", {theirs + "attn.c_attn"}, true,
              hf::fused_qkv(model.heads, model.head_dim, true), hf::fused_qkv(model.heads, model.head_dim, false));
  rows.linear(ours + "self_attention.linear_proj", {theirs + "attn.c_proj"}, true, hf::transpose(), hf::identity());
  rows.norm(ours + "pre_mlp_layernorm", theirs + "ln_2", false);
  rows.linear(ours + "mlp.linear_fc1", {theirs + "mlp.c_fc"}, true, hf::transpose(), hf::identity());
  rows.linear(ours + "mlp.linear_fc2", {theirs + "mlp.c_proj"}, true, hf::transpose(), hf::identity());
  rows.norm("decoder.final_layernorm", "transformer.ln_f", false);
  if (!model.tied_embeddings) rows.add("output_layer.weight", {"lm_head.weight"}, hf::identity());
  return {.rows = rows.take(),
          .ignored_keys = {theirs + "attn.bias", theirs + "attn.masked_bias"},  // buffers of the causal mask
          .optional_prefix = "transformer.",
          .tied_head_key = "lm_head.weight"};
}

}  // namespace longhaul::gpt
