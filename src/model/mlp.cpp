#include "model/mlp.h"

#include "longhaul/ops/activation.h"
#include "longhaul/ops/linear_gelu.h"
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
      has_bias_(config.linear_bias) {
  const int parts = gated_ ? 2 : 1;
  store.declare(prefix + "linear_fc1.weight", column_parallel(parts * config.ffn_hidden, config.hidden, config, parts));
  if (has_bias_) store.declare(prefix + "linear_fc1.bias", column_bias(parts * config.ffn_hidden, parts));
  store.declare(prefix + "linear_fc2.weight", row_parallel(config.hidden, config.ffn_hidden, config));
  if (has_bias_) store.declare(prefix + "linear_fc2.bias", row_bias(config.hidden));
}

ops::Weight Mlp::weight(const char* name) const {
  return store_.weight(prefix_ + name);
}

ops::Weight Mlp::bias(const char* name) const {
  return has_bias_ ? weight(name) : ops::Weight{};
}

at::Tensor Mlp::forward(const at::Tensor& normed, const LayerContext& context) {
  const bool in_products = !gated_ && activation_ == Activation::gelu_tanh && !tensor_.active();
  const bool discard = context.recompute == Recompute::selective;
  return in_products ? activation_in_products(normed, discard) : activation_apart(normed, discard);
}

at::Tensor Mlp::activation_in_products(const at::Tensor& normed, bool discard) {
  const auto input = discard ? ops::GeluInput::rounded : ops::GeluInput::fastest;
  const ops::GeluPair inner = profiled_call(prefix_, "linear_fc1", [&] {
    return ops::linear_gelu(normed, weight("linear_fc1.weight"), bias("linear_fc1.bias"), input);
  });
  const at::Tensor out = profiled_call(prefix_, "linear_fc2", [&] {
    return ops::gelu_linear(inner, weight("linear_fc2.weight"), bias("linear_fc2.bias"));
  });
  if (discard) {
    discard_until_backward(inner.activated, out,
                           [pre = inner.pre] { return ops::activation(pre, {}, Activation::gelu_tanh); });
  }
  return out;
}

at::Tensor Mlp::activation_apart(const at::Tensor& normed, bool discard) {
  const ops::Weight fc1_bias = bias("linear_fc1.bias");
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
    return parallel::row_parallel_linear(activated, weight("linear_fc2.weight"), bias("linear_fc2.bias"), tensor_);
  });
  if (discard) discard_until_backward(activated, out, activate);
  return out;
}

}  // namespace longhaul
