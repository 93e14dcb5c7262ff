#include "longhaul/model/model_config.h"

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// Elements of the norms' weights that one norm holds: gamma, and beta for LayerNorm.
int64_t norm_size(const ModelConfig& m) {
  return (m.normalization == Normalization::layer_norm ? 2 : 1) * m.hidden;
}

void require_positive(const char* key, int64_t value) {
  if (value < 1) throw UserError("model.{} is {}; it must be at least 1", key, value);
}

}  // namespace

ModelConfig ModelConfig::resolved() const {
  ModelConfig m = *this;
  require_positive("layers", layers);
  require_positive("hidden", hidden);
  require_positive("heads", heads);
  require_positive("vocab_multiple", vocab_multiple);
  require_positive("max_positions", max_positions);
  if (m.kv_heads == 0) m.kv_heads = heads;
  if (m.head_dim == 0) {
    if (hidden % heads != 0)
      throw UserError("model.hidden {} does not divide by model.heads {}: change one of them, or set model.head_dim",
                      hidden, heads);
    m.head_dim = hidden / heads;
  }
  if (m.ffn_hidden == 0) m.ffn_hidden = 4 * hidden;
  require_positive("kv_heads", m.kv_heads);
  require_positive("head_dim", m.head_dim);
  require_positive("ffn_hidden", m.ffn_hidden);
  if (heads % m.kv_heads != 0)
    throw UserError(
        "model.heads {} does not divide by model.kv_heads {}: every key/value head serves equally many query "
        "heads; "
        "choose kv_heads among the divisors of heads",
        heads, m.kv_heads);
  if (position == PositionEmbedding::rope) {
    if (rotary_fraction <= 0 || rotary_fraction > 1)
      throw UserError("model.rotary_fraction is {}; it must be above 0 and at most 1", rotary_fraction);
    if (m.rotary_dim() < 2)
      throw UserError(
          "model.head_dim {} with model.rotary_fraction {} leaves no pair of channels to rotate; raise one "
          "of them",
          m.head_dim, rotary_fraction);
    if (rope_scaling.kind == RopeScalingKind::llama3 && rope_scaling.high_freq_factor <= rope_scaling.low_freq_factor)
      throw UserError("model.rope_scaling.high_freq_factor {} must be greater than low_freq_factor {}",
                      rope_scaling.high_freq_factor, rope_scaling.low_freq_factor);
  } else if (rope_scaling.kind != RopeScalingKind::none) {
    throw UserError("model.rope_scaling.kind is {}, but model.position is {}: rotary scaling needs model.position rope",
                    name_of(rope_scaling.kind), name_of(position));
  }
  if (m.head_dim % 2 != 0)
    throw UserError(
        "the heads have {} channels, but attention needs an even number: change model.hidden, model.heads or "
        "model.head_dim",
        m.head_dim);
  return m;
}

int64_t ModelConfig::parameter_count() const {
  LONGHAUL_CHECK(kv_heads > 0 && head_dim > 0 && ffn_hidden > 0, "parameter_count of a config that is not resolved");
  const int64_t query = heads * head_dim, key_value = 2 * kv_heads * head_dim;
  const int64_t fc1 = (gated ? 2 : 1) * ffn_hidden;
  int64_t attention = hidden * (query + key_value) + query * hidden;
  if (qkv_bias) attention += query + key_value;
  if (has_proj_bias()) attention += hidden;
  int64_t mlp = hidden * fc1 + ffn_hidden * hidden;
  if (linear_bias) mlp += fc1 + hidden;
  const int64_t embeddings = vocab_size * hidden * (tied_embeddings ? 1 : 2) +
                             (position == PositionEmbedding::learned ? max_positions * hidden : 0);
  return embeddings + layers * (attention + mlp + 2 * norm_size(*this)) + norm_size(*this);
}

double ModelConfig::flops_per_token(int64_t sequence_length, bool causal) const {
  LONGHAUL_CHECK(kv_heads > 0 && head_dim > 0 && ffn_hidden > 0, "flops_per_token of a config that is not resolved");
  const double query = static_cast<double>(heads * head_dim);
  const double attention = static_cast<double>(hidden) * static_cast<double>((2 * heads + 2 * kv_heads) * head_dim);
  const double mlp = static_cast<double>(gated ? 3 : 2) * static_cast<double>(hidden) * static_cast<double>(ffn_hidden);
  const double weights =
      static_cast<double>(layers) * (attention + mlp) + static_cast<double>(vocab_size) * static_cast<double>(hidden);
  const double scores = static_cast<double>(layers) * query * static_cast<double>(sequence_length);
  return 6 * weights + (causal ? 6 : 12) * scores;
}

}  // namespace longhaul
