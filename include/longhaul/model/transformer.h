// A decoder-only language model: embedding, layers, final norm, output layer and loss. One class serves every family,
// and training, evaluation, generation and export alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "longhaul/model/layer_context.h"
#include "longhaul/model/layer_spec.h"
#include "longhaul/model/model_config.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/ops/linear_cross_entropy.h"

namespace longhaul {

class TransformerLayer;
class ResidualNorm;

class Transformer {
 public:
  // Allocates the parameters (zeros); call `initialise_parameters` or load a checkpoint next.
  // `config` must be resolved.
  Transformer(const ModelConfig& config, ParameterStore::Options options, const LayerSpec& spec = decoder_layer_spec());
  ~Transformer();

  const ModelConfig& config() const { return config_; }
  ParameterStore& parameters() { return store_; }
  const ParameterStore& parameters() const { return store_; }

  // tokens [n] int64 on the model's device -> hidden states after the final norm [n, hidden]. Positions and document
  // borders come from `context`; without cu_seqlens all n tokens are one document. When `layer_outputs` is given it
  // receives the embedding and each layer's output, as `transformers` returns them in `hidden_states`.
  at::Tensor hidden_states(const at::Tensor& tokens, LayerContext context,
                           std::vector<at::Tensor>* layer_outputs = nullptr);

  // Cross-entropy of the next token; see ops::linear_cross_entropy. `options.vocab_size` and softcap are filled in.
  ops::CrossEntropyResult loss(const at::Tensor& tokens, const at::Tensor& labels, const at::Tensor& token_weights,
                               const LayerContext& context, ops::CrossEntropyOptions options);

  // hidden [n, hidden] -> FP32 logits [n, vocab_size], without padding. For evaluation and generation.
  at::Tensor logits(const at::Tensor& hidden) const;

  KvCache make_cache(int64_t capacity) const;

 private:
  ops::Weight output_weight() const;
  ops::RopeTable rope_for(int64_t positions);

  const ModelConfig config_;
  ParameterStore store_;
  std::vector<std::unique_ptr<TransformerLayer>> layers_;
  std::unique_ptr<ResidualNorm> final_norm_;
  std::vector<float> rope_frequencies_;
  ops::RopeTable rope_;  // grows to the longest sequence seen
};

}  // namespace longhaul
