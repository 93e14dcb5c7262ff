#include "longhaul/recipes/activation_memory.h"

#include <algorithm>
#include <cmath>

#include "longhaul/model/shard.h"
#include "longhaul/ops/cross_entropy_chunk.h"
#include "longhaul/ops/fused_attention.h"

namespace longhaul {
ActivationMemory::ActivationMemory(const ModelConfig& m, double element, const ParallelConfig& layout) {
  const double tensor = static_cast<double>(layout.tensor);
  const double query = static_cast<double>(m.heads * m.head_dim) / tensor;
  const double key_value = static_cast<double>(m.head_dim) * std::max(static_cast<double>(m.kv_heads) / tensor, 1.0);
  hidden_ = element * static_cast<double>(m.hidden);
  query_ = element * query;
  norm_share_ = layout.sequence ? tensor : 1;
  attention_ = element * (2 * query + 2 * key_value);
  // FP32: a maximum and a sum of each head's scores; of both norms the scale, and with LayerNorm the mean.
  statistics_ = 4 * (2 * static_cast<double>(m.heads) / tensor +
                     (m.normalization == Normalization::layer_norm ? 4 : 2) / norm_share_);
  activated_ = element * static_cast<double>(m.ffn_hidden) / tensor;
  first_ = (m.gated ? 2 : 1) * activated_;
  // A gathered input and a sum's partial terms.
  tensor_exchange_ = layout.sequence ? 2 * hidden_ : 0;
  pipeline_exchange_ = layout.pipeline > 1 ? 2 * hidden_ / norm_share_ : 0;
}

double ActivationMemory::kept_by_layer(RecomputeMode mode) const {
  const double norm_tensor = hidden_ / norm_share_;
  if (mode == RecomputeMode::full) return 2 * norm_tensor;  // the sum so far, and the update that is to be added
  const double sums = 2 * norm_tensor, outputs = mode == RecomputeMode::none ? 2 * norm_tensor + activated_ : 0;
  return sums + outputs + attention_ + first_ + statistics_;
}

double ActivationMemory::working(RecomputeMode mode) const {
  const double norm_tensor = hidden_ / norm_share_;
  // The loss's gradient, which its node keeps to the end, and that of the stream; then the MLP's: with respect to what
  // the activation gives, then to what it takes, when its output is gone.
  const double gradients = 2 * norm_tensor + std::max(activated_, first_);
  switch (mode) {
    case RecomputeMode::none:
      return gradients;
    case RecomputeMode::selective:
      return gradients + activated_ + norm_tensor;  // what was discarded is there again
    case RecomputeMode::full:
      return gradients + kept_by_layer(RecomputeMode::none) + norm_tensor;
  }
  return 0;
}

double ActivationMemory::around_attention_backward(RecomputeMode mode) const {
  const double norm_tensor = hidden_ / norm_share_;
  // The loss's gradient and the stream's, and that of attention's output.
  const double gradients = 2 * norm_tensor + query_;
  const double mlp = norm_tensor + first_, mlp_outputs = norm_tensor + activated_;
  switch (mode) {
    case RecomputeMode::none:
      return gradients - mlp - mlp_outputs;
    case RecomputeMode::selective:
      return gradients - mlp;
    case RecomputeMode::full:
      return gradients + kept_by_layer(RecomputeMode::none) + norm_tensor - mlp - mlp_outputs;
  }
  return 0;
}

double ActivationMemory::kept_by_ends() const {
  return 3 * hidden_ / norm_share_;
}

double ActivationMemory::exchanged() const {
  return tensor_exchange_ + pipeline_exchange_;
}

bool has_fused_attention(const Recipe& recipe) {
  const ModelConfig& m = recipe.model;
  return recipe.trainer.device != DeviceChoice::cpu &&
         ops::takes_fused_attention(recipe.trainer.precision == Precision::bf16, m.head_dim, m.attention_dropout);
}

double attention_backward_memory(const Recipe& recipe, const ParallelConfig& layout, double tokens) {
  constexpr double kElement = 2, kRowsADocument = 128, kProcessors = 132;  // of an H100 or H200
  const ModelConfig& m = recipe.model;
  const int64_t head_multiple = m.head_dim <= 128 ? 32 : 64;
  const auto head_dim = static_cast<double>(m.head_dim);
  const auto rounded_head_dim = static_cast<double>((m.head_dim + head_multiple - 1) / head_multiple * head_multiple);
  const double heads = static_cast<double>(m.heads) / static_cast<double>(layout.tensor);
  const double kv_heads = std::max(static_cast<double>(m.kv_heads) / static_cast<double>(layout.tensor), 1.0);
  const auto documents = static_cast<double>(recipe.batch.micro);
  const double gradients = kElement * tokens * (heads + 2 * kv_heads) * head_dim;
  // Of keys and values, for each query head, before those that share them are summed.
  const double by_query_head = kv_heads == heads ? 0 : kElement * tokens * 2 * heads * head_dim;
  // FP32: the sum of the queries' gradient, of each part of the keys apart where its order matters, and a number a row.
  const double parts = recipe.trainer.deterministic ? std::ceil(kProcessors / (documents * heads)) : 1;
  const double sums = 4 * (tokens + kRowsADocument * documents) * heads * (parts * rounded_head_dim + 1);
  return gradients + by_query_head + sums;
}

double logits_memory(const Recipe& recipe, const ParallelConfig& layout, double tokens) {
  const ModelConfig& m = recipe.model;
  const bool cuda = recipe.trainer.device != DeviceChoice::cpu;
  const int64_t vocabulary = vocabulary_rows(m.vocab_size, m.vocab_multiple, layout.tensor);
  const bool bf16 = recipe.trainer.precision == Precision::bf16;
  const bool bf16_logits = recipe.loss.bf16_logits(recipe.trainer.precision, cuda);
  const double rows =
      std::min(tokens, static_cast<double>(ops::cross_entropy_chunk_tokens(vocabulary, cuda, bf16_logits)));
  // The gradient lies in the logits' memory, but for BF16 on the CPU, whose kernel wants FP32 logits; rounding those
  // takes a copy.
  const int bytes = cuda ? (bf16_logits ? 2 : 4) : (bf16_logits ? 8 : bf16 ? 6 : 4);
  return rows * static_cast<double>(vocabulary) * bytes;
}

}  // namespace longhaul
