// The shape and the mathematics of a transformer language model, for every family. Field names follow the
// contract of the recipe files; the Megatron and Hugging Face names are in docs/configuration.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhaul/core/config/fields.h"
#include "longhaul/ops/activation_kind.h"

namespace longhaul {

enum class Normalization { rms_norm, layer_norm };
enum class PositionEmbedding { rope, learned };

enum class RopeScalingKind { none, linear, llama3 };

// Scaling of the rotary frequencies (Hugging Face `rope_scaling` / `rope_parameters`).
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::none;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  int64_t original_max_positions = 8192;
  bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
  std::string from;              // a Hugging Face folder; then the shape comes from its config.json
  std::string family = "llama";  // llama, gpt, nemotron, or one that the program registered; see family_preset

  int64_t layers = 2;
  int64_t hidden = 128;
  int64_t heads = 4;
  int64_t kv_heads = 0;          // 0: as many as heads
  int64_t head_dim = 0;          // 0: hidden / heads
  int64_t ffn_hidden = 0;        // 0: 4 × hidden
  int64_t vocab_size = 0;        // true number of embedding rows, without padding; 0: the tokenizer's
  int64_t vocab_multiple = 1;    // rows are padded in memory to a multiple of this; padding is masked in the loss
  int64_t max_positions = 2048;  // rows of a learned table; the declared context of a rotary model

  Normalization normalization = Normalization::rms_norm;
  double norm_eps = 1e-5;
  bool norm_zero_centered = false;  // the stored weight is gamma - 1 (LayerNorm1P)

  Activation activation = Activation::silu;
  bool gated = true;  // act(gate) * up, as in SwiGLU

  PositionEmbedding position = PositionEmbedding::rope;
  double rope_theta = 10000.0;
  double rotary_fraction = 1.0;  // share of head_dim that is rotated
  RopeScaling rope_scaling;

  bool qkv_bias = false;
  bool linear_bias = false;      // biases of the attention output and of both MLP linears
  bool proj_bias = false;        // bias of the attention output alone (Llama's attention_bias); linear_bias implies it
  bool tied_embeddings = false;  // the output layer is the token embedding

  double attention_scale = 0;  // 0: 1 / sqrt(head_dim)
  double attention_dropout = 0;
  double hidden_dropout = 0;
  double embedding_dropout = 0;
  double logit_softcap = 0;  // logits = cap * tanh(logits / cap); 0: off

  double init_std = 0.02;
  bool scaled_init = true;  // output projections start with init_std / sqrt(2 × layers)

  // The fields that are 0 for "derive it", derived. Throws UserError for a shape that can't be.
  ModelConfig resolved() const;
  int64_t rotary_dim() const { return static_cast<int64_t>(static_cast<double>(head_dim) * rotary_fraction) / 2 * 2; }
  bool has_proj_bias() const { return linear_bias || proj_bias; }

  // Exact number of parameters, a tied head once (models.md 9.1). Needs a resolved config.
  int64_t parameter_count() const;
  // Forward and backward FLOPs per token without recomputation. `causal` counts the lower triangle of the
  // attention scores, otherwise the full square as Megatron's older tables do (models.md 9.2).
  double flops_per_token(int64_t sequence_length, bool causal = true) const;

  bool operator==(const ModelConfig&) const = default;
};

// A config with the fixed mathematics of a family (norm, activation, positions, biases, tied head) and default
// shapes. A family that this library doesn't bring gets the defaults of ModelConfig: it sets its own.
ModelConfig family_preset(const std::string& family);

// Of the families that there are (longhaul/model/family.h).
std::vector<std::string> family_names();
// UserError, which lists them, where none has that name.
void require_family(const std::string& name);

// The model to continue from a checkpoint whose config.json says `checkpoint`: all of it is the checkpoint's, whatever
// the recipe says, except the dropouts and vocab_multiple, which are the recipe's. `notes` receives a line for each
// field in which the two differ, but for the initialisation, which isn't used.
ModelConfig continue_from(const ModelConfig& recipe, const ModelConfig& checkpoint,
                          std::vector<std::string>* notes = nullptr);

template <>
std::span<const std::string_view> enum_names<Activation>();
template <>
std::span<const std::string_view> enum_names<Normalization>();
template <>
std::span<const std::string_view> enum_names<PositionEmbedding>();
template <>
std::span<const std::string_view> enum_names<RopeScalingKind>();
template <>
const FieldTable& fields<RopeScaling>();
template <>
const FieldTable& fields<ModelConfig>();

}  // namespace longhaul
