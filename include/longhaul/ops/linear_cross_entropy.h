// The output layer and its loss in one operator, chunk by chunk over the tokens, so that the logits of a
// whole batch never exist (idea: Wijmans et al., "Cut your losses in large-vocabulary language models", 2024;
// Liger kernels).
#pragma once

#include "longhaul/comm/communicator.h"
#include "longhaul/ops/weight.h"

namespace longhaul::ops {

struct CrossEntropyOptions {
  int64_t vocab_size = 0;  // rows of the whole weight beyond it are padding and excluded; 0: all rows count
  // The ranks over which the weight's rows are cut, of the same number each; null: this one has them all. The loss is
  // then that over all rows, the gradient of `hidden` this rank's share of a sum over the ranks.
  comm::Communicator* vocabulary = nullptr;
  double z_loss = 0;         // adds z_loss · logsumexp(logits)² to each token's loss
  double logit_softcap = 0;  // logits = cap · tanh(logits / cap)
  // The logits of BF16 `hidden` are rounded to BF16, as in Megatron-LM and transformers, instead of staying FP32: on
  // CUDA less than half the memory traffic of the loss.
  bool bf16_logits = false;
  int64_t chunk_tokens = 0;  // 0: cross_entropy_chunk_tokens (cross_entropy_chunk.h)
  // The caller promises to call backward with a gradient of exactly 1. The weight's gradient is then added to
  // main_grad during forward, and no second buffer of the weight's size is needed; backward checks the
  // promise.
  bool unit_gradient = false;
};

struct CrossEntropyResult {
  at::Tensor loss;          // scalar FP32, Σ token_weights · token_loss, differentiable
  at::Tensor token_losses;  // [tokens] FP32, cross-entropy alone (no z-loss, no weights), detached
};

// hidden [tokens, hidden], weight [rows, hidden], labels [tokens] int64, token_weights [tokens] FP32.
// A label outside [0, vocab_size) where token_weights is not 0 is a UserError, on CUDA a later one
// (throw_device_faults). A token of weight 0 costs nothing: its label isn't looked at, its token_loss and gradient are
// 0.
CrossEntropyResult linear_cross_entropy(const at::Tensor& hidden, const Weight& weight, const at::Tensor& labels,
                                        const at::Tensor& token_weights, const CrossEntropyOptions& options);

}  // namespace longhaul::ops
