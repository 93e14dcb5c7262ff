#include "longhaul/model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tanh.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "longhaul/model/parameter_layout.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/ops/embedding.h"
#include "longhaul/ops/linear.h"
#include "longhaul/ops/rope.h"
#include "longhaul/parallel/parallel_linear.h"
#include "longhaul/parallel/vocabulary_parallel.h"
#include "model/declare.h"
#include "model/transformer_layer.h"
#include "model/unit_steps.h"
#include "ops/profile_scope.h"

namespace longhaul {
namespace {

constexpr const char* kWordEmbeddings = "embedding.word_embeddings.weight";
constexpr const char* kPositionEmbeddings = "embedding.position_embeddings.weight";
constexpr const char* kOutputLayer = "output_layer.weight";

std::vector<float> rope_frequencies(const ModelConfig& config) {
  if (config.position != PositionEmbedding::rope) return {};
  const RopeScaling& from = config.rope_scaling;
  ops::RopeFrequencyScaling scaling;
  switch (from.kind) {
    case RopeScalingKind::none:
      scaling.kind = ops::RopeFrequencyScaling::Kind::none;
      break;
    case RopeScalingKind::linear:
      scaling.kind = ops::RopeFrequencyScaling::Kind::linear;
      break;
    case RopeScalingKind::llama3:
      scaling.kind = ops::RopeFrequencyScaling::Kind::llama3;
      break;
  }
  scaling.factor = from.factor;
  scaling.low_freq_factor = from.low_freq_factor;
  scaling.high_freq_factor = from.high_freq_factor;
  scaling.original_max_positions = static_cast<double>(from.original_max_positions);
  return ops::rope_inverse_frequencies(config.rotary_dim(), config.rope_theta, scaling);
}

std::vector<Stage> or_whole(std::vector<Stage> stages, const ModelConfig& config) {
  if (stages.empty()) stages.push_back({0, config.layers, true, true});
  return stages;
}

struct Body {
  std::vector<std::unique_ptr<TransformerLayer>> layers;
  std::unique_ptr<ResidualNorm> final_norm;
  std::vector<std::vector<UnitStep>> steps;  // by stage
};

// Declares every parameter of the stages, unit by unit, in the order of the forward.
Body build(const ModelConfig& config, const std::vector<Stage>& stages, const LayerSpec& spec, ParameterStore& store) {
  using Kind = UnitStep::Kind;
  Body body;
  body.layers.resize(config.layers);
  ShardSpec words = vocabulary_table(config.vocab_size, config.hidden, config);
  for (const Stage& stage : stages) {
    std::vector<UnitStep>& steps = body.steps.emplace_back();
    if (stage.embedding) {
      steps.push_back({Kind::embedding, {store.begin_unit()}});
      store.declare(kWordEmbeddings, words);
      if (config.position == PositionEmbedding::learned) {
        steps.back().units.push_back(store.begin_unit());
        store.declare(kPositionEmbeddings, position_table(config.max_positions, config.hidden, config));
      }
    }
    for (int64_t i = stage.first_layer; i < stage.first_layer + stage.layers; ++i) {
      steps.push_back({Kind::layers, {store.begin_unit()}});
      body.layers[i] = std::make_unique<TransformerLayer>(config, spec, i, store);
    }
    if (!stage.output) continue;
    steps.push_back({Kind::layers, {store.begin_unit()}});
    body.final_norm = std::make_unique<ResidualNorm>(config, "decoder.final_layernorm.", store);
    if (config.tied_embeddings && store.contains(kWordEmbeddings)) {
      steps.push_back({Kind::loss, {store.unit_of(kWordEmbeddings)}, /*last_use=*/false});
      continue;
    }
    steps.push_back({Kind::loss, {store.begin_unit()}});
    words.copy = config.tied_embeddings;  // then the first stage's rank owns it
    store.declare(config.tied_embeddings ? kWordEmbeddings : kOutputLayer, words);
  }
  return body;
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, ParameterStore::Options options, const LayerSpec& spec,
                         std::vector<Stage> stages)
    : config_(config),
      stages_(or_whole(std::move(stages), config)),
      store_([&] {
        options.vocab_multiple = config.vocab_multiple;
        return options;
      }()),
      rope_frequencies_(rope_frequencies(config)) {
  LONGHAUL_CHECK(config.head_dim > 0 && config.kv_heads > 0 && config.vocab_size > 0, "the config is not resolved");
  Body body = build(config_, stages_, spec, store_);
  layers_ = std::move(body.layers);
  final_norm_ = std::move(body.final_norm);
  steps_ = std::move(body.steps);
  store_.allocate();
}

Transformer::~Transformer() = default;

ops::Weight Transformer::output_weight() const {
  return store_.weight(config_.tied_embeddings ? kWordEmbeddings : kOutputLayer);
}

const std::vector<UnitStep>& Transformer::steps_of_output() const {
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].output) return steps_[i];
  }
  LONGHAUL_CHECK(false, "another rank has the output layer");
}

ops::RopeTable Transformer::rope_for(int64_t positions) {
  if (rope_frequencies_.empty()) return {};
  const int64_t held = rope_.empty() ? 0 : rope_.back().cos.size(0);
  if (held < positions) {
    rope_.push_back(
        ops::make_rope_table(rope_frequencies_, std::max<int64_t>(positions, 2 * held), store_.options().device));
  }
  return rope_.back();
}

// Word and position embeddings of this rank's tokens.
at::Tensor Transformer::embed(const at::Tensor& tokens, const LayerContext& context) const {
  const TensorGroup& tensor = store_.tensor();
  at::Tensor hidden =
      parallel::vocabulary_parallel_embedding(tokens, store_.weight(kWordEmbeddings), config_.vocab_size, tensor);
  if (config_.position == PositionEmbedding::learned) {
    const int64_t n = tokens.size(0), begin = context.cache != nullptr ? context.cache->length : 0;
    at::Tensor where = context.positions;
    if (!where.defined()) {
      // Counted on the device: a copy from here would wait for it.
      where = at::empty({n}, at::TensorOptions().dtype(at::kLong).device(tokens.device()));
      for (size_t i = 1; i < context.cu_seqlens.size(); ++i) {
        const int64_t first = context.cu_seqlens[i - 1], count = context.cu_seqlens[i] - first;
        at::Tensor of_document = where.narrow(0, first, count);
        at::arange_out(of_document, begin, begin + count, 1);
      }
    }
    where = where.narrow(0, tensor.first_token(n), tensor.held_tokens(n));
    hidden = hidden + ops::embedding(where, store_.weight(kPositionEmbeddings));
  }
  if (context.training && config_.embedding_dropout > 0) {
    hidden = ops::dropout(hidden, config_.embedding_dropout,
                          {context.seed, "embedding", context.place, context.first_held_token});
  }
  return hidden;
}

at::Tensor Transformer::hidden_states(const at::Tensor& tokens, const LayerContext& context,
                                      std::vector<at::Tensor>* layer_outputs) {
  LONGHAUL_CHECK(stages_.size() == 1 && stages_[0].embedding && stages_[0].output, "this rank has a part of the model");
  return forward_stage(0, tokens, context, layer_outputs);
}

at::Tensor Transformer::forward_stage(size_t index, const at::Tensor& input, LayerContext context,
                                      std::vector<at::Tensor>* layer_outputs) {
  const Stage& stage = stages_.at(index);
  const TensorGroup& tensor = store_.tensor();
  const int64_t n = stage.embedding || !tensor.cuts_tokens() ? input.size(0) : input.size(0) * tensor.size();
  if (context.cu_seqlens.empty()) context.cu_seqlens = {0, static_cast<int32_t>(n)};
  int64_t longest = 0;
  for (size_t i = 1; i < context.cu_seqlens.size(); ++i) {
    longest = std::max<int64_t>(longest, context.cu_seqlens[i] - context.cu_seqlens[i - 1]);
  }
  const int64_t positions = context.positions.defined()
                                ? context.position_count
                                : (context.cache != nullptr ? context.cache->length : 0) + longest;
  if (config_.position == PositionEmbedding::learned && positions > config_.max_positions) {
    throw UserError("position {} is outside the model's table of {} positions: use shorter sequences", positions - 1,
                    config_.max_positions);
  }
  context.rope = rope_for(positions);
  context.first_held_token = static_cast<uint64_t>(tensor.first_token(n));

  const UnitSteps steps(store_.events(), steps_[index]);
  size_t step = 0;
  ResidualStream stream{input, {}};
  const auto run = [&](const auto& part) {
    stream = steps.end(step, part(steps.begin(step, stream)));
    ++step;
  };
  const auto sum = [&] { return stream.update.defined() ? stream.hidden + stream.update : stream.hidden; };
  if (stage.embedding) {
    run([&](const ResidualStream& tokens) {
      const ops::PartScope scope("embedding");
      return ResidualStream{embed(tokens.hidden, context), {}};
    });
  }
  if (layer_outputs != nullptr) layer_outputs->push_back(sum());
  for (int64_t i = stage.first_layer; i < stage.first_layer + stage.layers; ++i) {
    run([&](const ResidualStream& in) { return layers_[i]->forward(in, context); });
    if (layer_outputs != nullptr) layer_outputs->push_back(sum());
  }
  if (stage.output) run([&](ResidualStream in) { return ResidualStream{final_norm_->forward(in), {}}; });
  if (context.cache != nullptr) context.cache->length += n;
  return sum();
}

ops::CrossEntropyResult Transformer::loss(const at::Tensor& tokens, const at::Tensor& labels,
                                          const at::Tensor& token_weights, const LayerContext& context,
                                          const ops::CrossEntropyOptions& options) {
  return loss_of_hidden(hidden_states(tokens, context), labels, token_weights, options);
}

ops::CrossEntropyResult Transformer::loss_of_hidden(const at::Tensor& hidden, const at::Tensor& labels,
                                                    const at::Tensor& token_weights, ops::CrossEntropyOptions options) {
  const TensorGroup& tensor = store_.tensor();
  options.vocab_size = config_.vocab_size;
  options.logit_softcap = config_.logit_softcap;
  options.vocabulary = tensor.active() ? tensor.ranks : nullptr;
  const ops::PartScope scope("output_layer");
  const UnitSteps steps(store_.events(), steps_of_output());
  const at::Tensor in = steps.begin(steps.last(), {hidden, {}}).hidden;
  const auto result =
      ops::linear_cross_entropy(parallel::gather_hidden(in, tensor), output_weight(), labels, token_weights, options);
  steps.end(steps.last(), {result.loss, {}});
  return result;
}

at::Tensor Transformer::logits(const at::Tensor& hidden) const {
  LONGHAUL_CHECK(!store_.tensor().active(), "this rank has only a part of the vocabulary");
  c10::AutoGradMode no_grad(false);
  const UnitSteps steps(store_.events(), steps_of_output());
  steps.begin(steps.last(), {hidden, {}});
  const at::Tensor rows = output_weight().value.narrow(0, 0, config_.vocab_size);
  const at::Tensor logits = ops::linear(hidden, {rows, {}}).to(at::kFloat);
  steps.end(steps.last(), {hidden, {}});
  if (config_.logit_softcap <= 0) return logits;
  return at::tanh(logits / config_.logit_softcap) * config_.logit_softcap;
}

KvCache Transformer::make_cache(int64_t capacity) const {
  KvCache cache;
  cache.capacity = capacity;
  const auto options = at::TensorOptions().dtype(store_.options().dtype).device(store_.options().device);
  for (int64_t i = 0; i < config_.layers; ++i) {
    const int64_t kv_heads = std::max<int64_t>(config_.kv_heads / store_.tensor().size(), 1);
    cache.keys.push_back(at::empty({capacity, kv_heads, config_.head_dim}, options));
    cache.values.push_back(at::empty({capacity, kv_heads, config_.head_dim}, options));
  }
  return cache;
}

std::vector<ParameterSpec> parameter_layout(const ModelConfig& model) {
  LONGHAUL_CHECK(model.head_dim > 0 && model.kv_heads > 0 && model.vocab_size > 0, "the config is not resolved");
  ParameterStore store({});
  build(model, or_whole({}, model), decoder_layer_spec(), store);
  std::vector<ParameterSpec> specs;
  for (const Parameter& p : store.parameters()) specs.push_back({p.name, p.shard});
  return specs;
}

}  // namespace longhaul
