#include "model/transformer_layer.h"

#include <fmt/format.h>

#include "longhaul/ops/dropout.h"
#include "model/declare.h"
#include "model/discard_output.h"
#include "model/profiled_part.h"
#include "model/recompute.h"

namespace longhaul {

ResidualNorm::ResidualNorm(const ModelConfig& config, const std::string& prefix, ParameterStore& store)
    : prefix_(prefix),
      store_(store),
      options_{.layer_norm = config.normalization == Normalization::layer_norm,
               .eps = config.norm_eps,
               .zero_centered = config.norm_zero_centered} {
  store.declare(prefix + "weight", norm_weight(config.hidden, config));
  if (options_.layer_norm) store.declare(prefix + "bias", norm_bias(config.hidden));
}

at::Tensor ResidualNorm::forward(ResidualStream& stream) const {
  if (!stream.update.defined()) return again(stream.hidden);
  auto [sum, normed] =
      ops::residual_norm(stream.update, stream.hidden, store_.weight(prefix_ + "weight"),
                         options_.layer_norm ? store_.weight(prefix_ + "bias") : ops::Weight{}, options_);
  stream = {sum, {}};
  return normed;
}

at::Tensor ResidualNorm::again(const at::Tensor& hidden) const {
  return ops::norm(hidden, store_.weight(prefix_ + "weight"),
                   options_.layer_norm ? store_.weight(prefix_ + "bias") : ops::Weight{}, options_);
}

TransformerLayer::TransformerLayer(const ModelConfig& config, const LayerSpec& spec, int64_t layer,
                                   ParameterStore& store)
    : layer_(layer), dropout_(config.hidden_dropout) {
  const std::string prefix = fmt::format("decoder.layers.{}.", layer);
  for (const SublayerSpec& sublayer : spec.sublayers) {
    const std::string mixer_prefix = prefix + sublayer.name + ".";
    sublayers_.push_back({ResidualNorm(config, prefix + sublayer.norm + ".", store),
                          sublayer.mixer(config, layer, mixer_prefix, store), prefix + sublayer.name});
  }
}

ResidualStream TransformerLayer::forward(const ResidualStream& input, LayerContext context) {
  if (context.recompute_layers > 0 && layer_ >= context.recompute_layers) context.recompute = Recompute::none;
  const auto name = [this] { return fmt::format("decoder.layers.{}", layer_); };
  return profiled_part(name, input, [&](const ResidualStream& stream) {
    return context.recompute == Recompute::full ? run_and_replay(stream, context) : run(stream, context);
  });
}

ResidualStream TransformerLayer::run_and_replay(const ResidualStream& input, const LayerContext& context) const {
  const auto body = [this, context](const std::vector<at::Tensor>& stream) {
    const ResidualStream out = run({stream[0], stream.size() > 1 ? stream[1] : at::Tensor()}, context);
    return std::vector<at::Tensor>{out.hidden, out.update};
  };
  std::vector<at::Tensor> inputs{input.hidden};
  if (input.update.defined()) inputs.push_back(input.update);
  const auto outputs = recompute_in_backward(body, inputs, context.host_activations);
  return {outputs[0], outputs[1]};
}

ResidualStream TransformerLayer::run(ResidualStream stream, const LayerContext& context) const {
  for (const Sublayer& sublayer : sublayers_) {
    stream = profiled_part([&] { return sublayer.name; }, stream,
                           [&](const ResidualStream& in) { return run(sublayer, in, context); });
  }
  return stream;
}

ResidualStream TransformerLayer::run(const Sublayer& sublayer, ResidualStream stream,
                                     const LayerContext& context) const {
  const at::Tensor normed = sublayer.norm.forward(stream);
  at::Tensor update = sublayer.mixer->forward(normed, context);
  if (context.recompute == Recompute::selective) {
    discard_until_backward(normed, update, [&norm = sublayer.norm, sum = stream.hidden] { return norm.again(sum); });
  }
  if (context.training && dropout_ > 0) {
    update = ops::dropout(update, dropout_,
                          {context.seed, sublayer.name + ".output", context.place, context.first_held_token});
  }
  stream.update = update;
  return stream;
}

}  // namespace longhaul
