#include "model/mlp.h"

#include "longhaul/ops/activation.h"
#include "longhaul/parallel/parallel_linear.h"
#include "model/declare.h"
#include "model/discard_output.h"
#include "model/profiled_part.h"

namespace longhaul {

Mlp::Mlp(const ModelConfig& config, const std::string& prefix, ParameterStore& store)
    : prefix_(prefix),
      store_(store),
      tensor_(store.tensor()),
      activation_(config.activation),
      gated_(config.gated),
      bias_(config.linear_bias) {
  const int parts = gated_ ? 2 : 1;
  store.declare(prefix + "linear_fc1.weight", column_parallel(parts * config.ffn_hidden, config.hidden, config, parts));
  if (bias_) store.declare(prefix + "linear_fc1.bias", column_bias(parts * config.ffn_hidden, parts));
  store.declare(prefix + "linear_fc2.weight", row_parallel(config.hidden, config.ffn_hidden, config));
  if (bias_) store.declare(prefix + "linear_fc2.bias", row_bias(config.hidden));
}

at::Tensor Mlp::forward(const at::Tensor& normed, const LayerContext& context) {
  const auto weight = [&](const char* name) { return store_.weight(prefix_ + name); };
  const ops::Weight fc1_bias = bias_ ? weight("linear_fc1.bias") : ops::Weight{};
  // Without a gate the bias joins the activation's pass; with one it belongs to the GEMM.
  const at::Tensor inner = profiled_call(prefix_, "linear_fc1", [&] {
    return parallel::column_parallel_linear(normed, weight("linear_fc1.weight"), gated_ ? fc1_bias : ops::Weight{},
                                            tensor_);
  });
  const auto activate = [this, inner, fc1_bias] {
    return gated_ ? ops::gated_activation(inner, activation_) : ops::activation(inner, fc1_bias, activation_);
  };
  at::Tensor activated = activate();
  const at::Tensor out = profiled_call(prefix_, "linear_fc2", [&] {
    return parallel::row_parallel_linear(activated, weight("linear_fc2.weight"),
                                         bias_ ? weight("linear_fc2.bias") : ops::Weight{}, tensor_);
  });
  if (context.recompute == Recompute::selective) discard_until_backward(activated, out, activate);
  return out;
}

}  // namespace longhaul
