#include <array>

#include "longhaul/core/config/field_table.h"
#include "longhaul/model/model_config.h"

namespace longhaul {
namespace {

// Far above any model; with them sizes in bytes of the whole fit 64 bits.
constexpr double kMostLayers = 1 << 12, kWidest = 1 << 18, kMostHeads = 1 << 14, kWidestHead = 1 << 14,
                 kWidestMlp = 1 << 20;
constexpr double kMostRows = 2147483647;  // of a table: ids have 32 bits

}  // namespace

template <>
std::span<const std::string_view> enum_names<Activation>() {
  static constexpr std::array<std::string_view, 5> names{"gelu_erf", "gelu_tanh", "silu", "squared_relu", "relu"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<Normalization>() {
  static constexpr std::array<std::string_view, 2> names{"rms_norm", "layer_norm"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<PositionEmbedding>() {
  static constexpr std::array<std::string_view, 2> names{"rope", "learned"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<RopeScalingKind>() {
  static constexpr std::array<std::string_view, 3> names{"none", "linear", "llama3"};
  return names;
}

template <>
const FieldTable& fields<RopeScaling>() {
  using C = RopeScaling;
  static const FieldTable table = make_table<C>(
      "Scaling of the rotary frequencies, for contexts longer than the model was first trained on",
      {
          field<&C::kind>("kind", "which scaling").known_as("", "rope_type"),
          field<&C::factor>("factor", "by how much the context was stretched").at_least(1).known_as("", "factor"),
          field<&C::low_freq_factor>("low_freq_factor",
                                     "llama3: wavelengths above original_max_positions over this are scaled fully")
              .above(0)
              .known_as("", "low_freq_factor"),
          field<&C::high_freq_factor>("high_freq_factor",
                                      "llama3: wavelengths below original_max_positions over this stay as they are")
              .above(0)
              .known_as("", "high_freq_factor"),
          field<&C::original_max_positions>("original_max_positions", "llama3: context before the stretching")
              .in("tokens")
              .at_least(1)
              .known_as("", "original_max_position_embeddings"),
      });
  return table;
}

template <>
const FieldTable& fields<ModelConfig>() {
  using C = ModelConfig;
  static const FieldTable table = make_table<C>(
      "The shape and the mathematics of the model",
      {
          field<&C::from>("from", "Hugging Face folder to continue from; its config.json then gives the shape")
              .in("path"),
          field<&C::family>("family",
                            "llama, gpt, nemotron or a registered one; setting it first sets that family's "
                            "norm, activation, positions, biases and tying"),
          field<&C::layers>("layers", "transformer layers")
              .at_least(1)
              .at_most(kMostLayers)
              .known_as("num_layers", "num_hidden_layers"),
          field<&C::hidden>("hidden", "width of the residual stream")
              .at_least(1)
              .at_most(kWidest)
              .known_as("hidden_size", "hidden_size"),
          field<&C::heads>("heads", "query heads")
              .at_least(1)
              .at_most(kMostHeads)
              .known_as("num_attention_heads", "num_attention_heads"),
          field<&C::kv_heads>("kv_heads", "key/value heads; 0: as many as heads")
              .at_least(0)
              .at_most(kMostHeads)
              .known_as("num_query_groups", "num_key_value_heads"),
          field<&C::head_dim>("head_dim", "channels of a head; 0: hidden / heads")
              .at_least(0)
              .at_most(kWidestHead)
              .known_as("kv_channels", "head_dim"),
          field<&C::ffn_hidden>("ffn_hidden", "inner width of the MLP; 0: 4 × hidden")
              .at_least(0)
              .at_most(kWidestMlp)
              .known_as("ffn_hidden_size", "intermediate_size"),
          field<&C::vocab_size>("vocab_size", "rows of the token embedding without padding; 0: the tokenizer's")
              .at_least(0)
              .at_most(kMostRows)
              .known_as("vocab_size", "vocab_size"),
          field<&C::vocab_multiple>("vocab_multiple",
                                    "in memory, rows are padded to a multiple of this; padding never counts")
              .at_least(1)
              .at_most(kWidestMlp)
              .known_as("make_vocab_size_divisible_by"),
          field<&C::max_positions>("max_positions",
                                   "rows of a learned position table; longest context of a rotary model")
              .in("tokens")
              .at_least(1)
              .at_most(kMostRows)
              .known_as("max_position_embeddings", "max_position_embeddings"),
          field<&C::normalization>("normalization", "kind of norm").known_as("normalization"),
          field<&C::norm_eps>("norm_eps", "added to the variance")
              .above(0)
              .known_as("layernorm_epsilon", "rms_norm_eps"),
          field<&C::norm_zero_centered>("norm_zero_centered", "store the norm's weight as gamma - 1")
              .known_as("layernorm_zero_centered_gamma"),
          field<&C::activation>("activation", "function of the MLP").known_as("activation_func", "hidden_act"),
          field<&C::gated>("gated", "act(gate) * up, as in SwiGLU").known_as("gated_linear_unit"),
          field<&C::position>("position", "how positions enter").known_as("position_embedding_type"),
          field<&C::rope_theta>("rope_theta", "base of the rotary frequencies")
              .above(0)
              .known_as("rotary_base", "rope_theta"),
          field<&C::rotary_fraction>("rotary_fraction", "share of a head's channels that is rotated")
              .above(0)
              .at_most(1)
              .known_as("rotary_percent", "partial_rotary_factor"),
          field<&C::rope_scaling>("rope_scaling", "Scaling of the rotary frequencies").known_as("", "rope_scaling"),
          field<&C::qkv_bias>("qkv_bias", "bias of the query, key and value projections").known_as("add_qkv_bias"),
          field<&C::linear_bias>("linear_bias", "bias of the attention output and of both MLP projections")
              .known_as("add_bias_linear", "mlp_bias"),
          field<&C::proj_bias>("proj_bias", "bias of the attention output alone; linear_bias implies it")
              .known_as("", "attention_bias"),
          field<&C::tied_embeddings>("tied_embeddings", "the output layer is the token embedding")
              .known_as("share_embeddings_and_output_weights", "tie_word_embeddings"),
          field<&C::attention_scale>("attention_scale", "factor of the scores; 0: 1 / sqrt(head_dim)")
              .at_least(0)
              .known_as("softmax_scale"),
          field<&C::attention_dropout>("attention_dropout", "dropout of the attention probabilities")
              .at_least(0)
              .below(1)
              .known_as("attention_dropout", "attn_pdrop"),
          field<&C::hidden_dropout>("hidden_dropout", "dropout before each residual addition")
              .at_least(0)
              .below(1)
              .known_as("hidden_dropout", "resid_pdrop"),
          field<&C::embedding_dropout>("embedding_dropout", "dropout of the embeddings")
              .at_least(0)
              .below(1)
              .known_as("", "embd_pdrop"),
          field<&C::logit_softcap>("logit_softcap", "logits become cap × tanh(logits / cap); 0: off")
              .at_least(0)
              .known_as("", "final_logit_softcapping"),
          field<&C::init_std>("init_std", "standard deviation of the initial weights")
              .at_least(0)
              .known_as("init_method_std", "initializer_range"),
          field<&C::scaled_init>("scaled_init", "output projections start with init_std / sqrt(2 × layers)"),
      });
  return table;
}

}  // namespace longhaul
