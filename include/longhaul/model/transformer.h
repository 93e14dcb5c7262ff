// A decoder-only language model: embedding, layers, final norm, output layer and loss. One class serves every family,
// every layout over ranks, and training, evaluation, generation and export alike.
//
// Units of its parameters are the word embedding, the table of positions, each layer, the final norm, and the output
// layer. What a pass does with them it tells the store's UnitEvents.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "longhaul/model/layer_context.h"
#include "longhaul/model/layer_spec.h"
#include "longhaul/model/model_config.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/model/stage.h"
#include "longhaul/ops/linear_cross_entropy.h"

namespace longhaul {

class TransformerLayer;
class ResidualNorm;
struct UnitStep;

class Transformer {
 public:
  // Allocates the parameters (zeros); call `initialise_parameters` or load a checkpoint next.
  // `config` must be resolved. `stages`: what this pipeline rank holds, in order; empty: the whole model.
  Transformer(const ModelConfig& config, ParameterStore::Options options, const LayerSpec& spec = decoder_layer_spec(),
              std::vector<Stage> stages = {});
  ~Transformer();

  const ModelConfig& config() const { return config_; }
  ParameterStore& parameters() { return store_; }
  const ParameterStore& parameters() const { return store_; }

  // The whole model: tokens [n] int64 on the model's device -> hidden states after the final norm [n, hidden].
  // Positions and document borders come from `context`; without cu_seqlens all n tokens are one document. When
  // `layer_outputs` is given it receives the embedding and each layer's output, as `transformers` returns them in
  // `hidden_states`. Under sequence parallelism n / ranks tokens, this rank's.
  at::Tensor hidden_states(const at::Tensor& tokens, const LayerContext& context,
                           std::vector<at::Tensor>* layer_outputs = nullptr);

  // Stage `index` of this rank's: tokens [n] into one with the embedding, else what the stage before gave,
  // [n, hidden] -> [n, hidden], after the final norm where the stage has the output layer.
  at::Tensor forward_stage(size_t index, const at::Tensor& input, LayerContext context,
                           std::vector<at::Tensor>* layer_outputs = nullptr);
  const std::vector<Stage>& stages() const { return stages_; }

  // Cross-entropy of the next token; see ops::linear_cross_entropy. `options.vocab_size` and softcap are filled in.
  ops::CrossEntropyResult loss(const at::Tensor& tokens, const at::Tensor& labels, const at::Tensor& token_weights,
                               const LayerContext& context, const ops::CrossEntropyOptions& options);
  // The same from the output of the stage with the output layer.
  ops::CrossEntropyResult loss_of_hidden(const at::Tensor& hidden, const at::Tensor& labels,
                                         const at::Tensor& token_weights, ops::CrossEntropyOptions options);

  // hidden [n, hidden] -> FP32 logits [n, vocab_size], without padding, and without autograd. For generation, on a rank
  // with whole matrices.
  at::Tensor logits(const at::Tensor& hidden) const;

  KvCache make_cache(int64_t capacity) const;

 private:
  ops::Weight output_weight() const;
  const std::vector<UnitStep>& steps_of_output() const;
  ops::RopeTable rope_for(int64_t positions);
  at::Tensor embed(const at::Tensor& tokens, const LayerContext& context) const;

  const ModelConfig config_;
  const std::vector<Stage> stages_;
  ParameterStore store_;
  std::vector<std::vector<UnitStep>> steps_;               // by stage
  std::vector<std::unique_ptr<TransformerLayer>> layers_;  // by number in the whole model; null: another rank's
  std::unique_ptr<ResidualNorm> final_norm_;               // null: another rank's
  std::vector<float> rope_frequencies_;
  std::vector<ops::RopeTable>
      rope_;  // the last is for the longest sequence seen; a recorded graph may read an earlier one
};

}  // namespace longhaul
