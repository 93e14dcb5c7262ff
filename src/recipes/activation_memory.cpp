#include "longhaul/recipes/activation_memory.h"

#include <algorithm>

#include "longhaul/model/shard.h"
#include "longhaul/ops/cross_entropy_chunk.h"

namespace longhaul {
ActivationMemory::ActivationMemory(const ModelConfig& m, double element, const ParallelConfig& layout) {
  const double tensor = static_cast<double>(layout.tensor);
  const double query = static_cast<double>(m.heads * m.head_dim) / tensor;
  const double key_value = static_cast<double>(m.head_dim) * std::max(static_cast<double>(m.kv_heads) / tensor, 1.0);
  hidden_ = element * static_cast<double>(m.hidden);
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

double ActivationMemory::kept_by_ends() const {
  return 3 * hidden_ / norm_share_;
}

double ActivationMemory::exchanged() const {
  return tensor_exchange_ + pipeline_exchange_;
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
