// Activations of a rank, operator by operator: bytes of one token.
#pragma once

#include "longhaul/recipes/recipe.h"

namespace longhaul {

class ActivationMemory {
 public:
  // `element`: bytes of a number in the training dtype.
  ActivationMemory(const ModelConfig& model, double element, const ParallelConfig& layout);

  // From a layer's forward to its backward.
  double kept_by_layer(RecomputeMode mode) const;
  // Beyond what is kept: the most that the backward of one layer has at once.
  double working(RecomputeMode mode) const;
  // What is there beyond it while attention's backward runs, but for attention_backward_memory: the MLP's part of the
  // layer is gone by then, so it can be less than nothing.
  double around_attention_backward(RecomputeMode mode) const;
  // Of the final norm and the loss: sum, normalised sum, and the gradient of that.
  double kept_by_ends() const;
  // Tokens gathered or summed for the tensor ranks, and what travels between pipeline stages.
  double exchanged() const;

 private:
  double hidden_, norm_share_;     // hidden: of all tokens; norms have 1 / norm_share of them
  double query_;                   // of all query heads
  double attention_, statistics_;  // kept by attention: fused QKV, its output; per head
  double first_, activated_;       // of the MLP: what the activation takes and gives
  double tensor_exchange_, pipeline_exchange_;
};

// Whether a run's attention is FlashAttention's or cuDNN's: on a GPU (unless trainer.device is cpu), where its operator
// takes them (ops/attention_core.h).
bool has_fused_attention(const Recipe& recipe);
// Bytes that the backward of one layer's fused attention works in: FlashAttention 2's, as its mha_varlen_bwd allocates
// them; cuDNN's has the same tensors. Of packed documents only whole sequences are counted; each more takes 128 rows.
double attention_backward_memory(const Recipe& recipe, const ParallelConfig& layout, double tokens);

// Bytes of the buffers that the output layer and the loss work in, a chunk of tokens at a time: a GPU's,
// whose chunks are larger, unless trainer.device is cpu.
double logits_memory(const Recipe& recipe, const ParallelConfig& layout, double tokens);

}  // namespace longhaul
