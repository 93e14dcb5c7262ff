#include "longhaul/model/parameter_layout.h"

#include <cmath>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

using Shape = std::vector<int64_t>;

class LayoutBuilder {
 public:
  explicit LayoutBuilder(const ModelConfig& model)
      : model_(model),
        output_std_(model.scaled_init ? model.init_std / std::sqrt(2.0 * static_cast<double>(model.layers))
                                      : model.init_std) {}

  // Rows are tokens; tensor parallelism cuts the vocabulary.
  void vocabulary(const std::string& name) {
    add(name,
        {.global_shape = {model_.vocab_size, model_.hidden}, .tensor_dim = 0, .init_std = model_.init_std});
  }

  // Replicated; the whole gradient reaches every tensor rank, because sequence parallelism starts after the
  // sum.
  void positions(const std::string& name) {
    add(name, {.global_shape = {model_.max_positions, model_.hidden}, .init_std = model_.init_std});
  }

  // Norms see the tokens of this rank's slice of the sequence only, so their gradients are partial sums.
  void norm(const std::string& prefix) {
    add(prefix + ".weight", vector(model_.hidden, model_.norm_zero_centered ? Init::zeros : Init::ones));
    if (model_.normalization == Normalization::layer_norm)
      add(prefix + ".bias", vector(model_.hidden, Init::zeros));
  }

  // Column parallel: cut by output rows, in `parts` blocks that are cut one by one.
  void column(const std::string& prefix, int64_t out, int64_t in, int parts, bool bias) {
    add(prefix + ".weight",
        {.global_shape = {out, in}, .tensor_dim = 0, .parts = parts, .init_std = model_.init_std});
    if (!bias) return;
    ShardSpec shard = vector(out, Init::zeros);
    shard.tensor_dim = 0;
    shard.parts = parts;
    shard.sum_gradient_over_tensor = false;
    add(prefix + ".bias", std::move(shard));
  }

  // Row parallel: cut by input columns; the bias is added once, after the ranks' partial outputs are summed.
  void row(const std::string& prefix, int64_t out, int64_t in, bool bias) {
    add(prefix + ".weight", {.global_shape = {out, in}, .tensor_dim = 1, .init_std = output_std_});
    if (bias) add(prefix + ".bias", vector(out, Init::zeros));
  }

  std::vector<ParameterSpec> take() { return std::move(specs_); }

 private:
  static ShardSpec vector(int64_t size, Init init) {
    return {.global_shape = {size},
            .sum_gradient_over_tensor = true,
            .weight_decay = false,
            .init = init,
            .init_std = 0};
  }

  void add(std::string name, ShardSpec shard) { specs_.push_back({std::move(name), std::move(shard)}); }

  const ModelConfig& model_;
  double output_std_;
  std::vector<ParameterSpec> specs_;
};

}  // namespace

std::vector<ParameterSpec> parameter_layout(const ModelConfig& model) {
  LONGHAUL_CHECK(model.layers > 0 && model.hidden > 0 && model.heads > 0 && model.kv_heads > 0 &&
                     model.head_dim > 0 && model.ffn_hidden > 0 && model.vocab_size > 0,
                 "the parameter layout needs a resolved model");
  LONGHAUL_CHECK(model.heads % model.kv_heads == 0);

  LayoutBuilder layout(model);
  layout.vocabulary("embedding.word_embeddings.weight");
  if (model.position == PositionEmbedding::learned) layout.positions("embedding.position_embeddings.weight");

  const int64_t attention_width = model.heads * model.head_dim;
  const int64_t qkv_width = attention_width + 2 * model.kv_heads * model.head_dim;
  const int gates = model.gated ? 2 : 1;
  for (int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = fmt::format("decoder.layers.{}.", i);
    layout.norm(layer + "input_layernorm");
    layout.column(layer + "self_attention.linear_qkv", qkv_width, model.hidden, 1, model.qkv_bias);
    layout.row(layer + "self_attention.linear_proj", model.hidden, attention_width, model.has_proj_bias());
    layout.norm(layer + "pre_mlp_layernorm");
    layout.column(layer + "mlp.linear_fc1", gates * model.ffn_hidden, model.hidden, gates, model.linear_bias);
    layout.row(layer + "mlp.linear_fc2", model.hidden, model.ffn_hidden, model.linear_bias);
  }
  layout.norm("decoder.final_layernorm");
  if (!model.tied_embeddings) layout.vocabulary("output_layer.weight");
  return layout.take();
}

}  // namespace longhaul
