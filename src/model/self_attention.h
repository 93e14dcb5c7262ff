#pragma once

#include "longhaul/model/layer_spec.h"
#include "longhaul/ops/attention.h"

namespace longhaul {

// Causal self-attention with grouped keys and values: one fused QKV projection (Megatron's order, group by group),
// rotary embedding, attention, output projection.
class SelfAttention final : public Mixer {
 public:
  SelfAttention(const ModelConfig& config, int64_t layer, const std::string& prefix, ParameterStore& store);
  at::Tensor forward(const at::Tensor& normed, const LayerContext& context) override;

 private:
  at::Tensor attend(const at::Tensor& qkv, const LayerContext& context) const;
  at::Tensor attend_to_cache(const at::Tensor& qkv, const LayerContext& context) const;

  const int64_t layer_;
  const TensorGroup tensor_;
  const int64_t heads_, kv_heads_, head_dim_;  // this rank's heads
  const double scale_, dropout_;
  const std::string prefix_;
  const ParameterStore& store_;
  const bool qkv_bias_, proj_bias_;
};

}  // namespace longhaul
