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
  // Of the final norm and the loss: sum, normalised sum, and the gradient of that.
  double kept_by_ends() const;
  // Tokens gathered or summed for the tensor ranks, and what travels between pipeline stages.
  double exchanged() const;

 private:
  double hidden_, norm_share_;     // hidden: of all tokens; norms have 1 / norm_share of them
  double attention_, statistics_;  // kept by attention: fused QKV, its output; per head
  double first_, activated_;       // of the MLP: what the activation takes and gives
  double tensor_exchange_, pipeline_exchange_;
};

// Bytes of the buffers that the output layer and the loss work in, a chunk of tokens at a time: a GPU's,
// whose chunks are larger, unless trainer.device is cpu.
double logits_memory(const Recipe& recipe, const ParallelConfig& layout, double tokens);

}  // namespace longhaul
