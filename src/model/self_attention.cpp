#include "model/self_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhaul/core/error.h"
#include "longhaul/parallel/parallel_linear.h"
#include "model/declare.h"
#include "model/profiled_part.h"

namespace longhaul {
namespace {

// x [tokens, …, head_dim], whose first token stands at position `begin`; rotates the first rotary_dim channels.
at::Tensor rotate(const at::Tensor& x, const ops::RopeTable& table, int64_t begin) {
  const int64_t half = table.cos.size(1);
  const at::Tensor cos = table.cos.narrow(0, begin, x.size(0)).view({x.size(0), 1, 1, half});
  const at::Tensor sin = table.sin.narrow(0, begin, x.size(0)).view({x.size(0), 1, 1, half});
  const at::Tensor first = x.narrow(-1, 0, half).to(at::kFloat), second = x.narrow(-1, half, half).to(at::kFloat);
  const at::Tensor rotated = at::cat({first * cos - second * sin, second * cos + first * sin}, -1).to(x.scalar_type());
  return at::cat({rotated, x.narrow(-1, 2 * half, x.size(-1) - 2 * half)}, -1);
}

}  // namespace

SelfAttention::SelfAttention(const ModelConfig& config, int64_t layer, const std::string& prefix, ParameterStore& store)
    : layer_(layer),
      tensor_(store.tensor()),
      heads_(config.heads / tensor_.size()),
      kv_heads_(std::max<int64_t>(config.kv_heads / tensor_.size(), 1)),  // fewer than ranks: shared by neighbours
      head_dim_(config.head_dim),
      scale_(config.attention_scale > 0 ? config.attention_scale : 1.0 / std::sqrt(static_cast<double>(head_dim_))),
      dropout_(config.attention_dropout),
      prefix_(prefix),
      store_(store),
      qkv_bias_(config.qkv_bias || config.linear_bias),
      proj_bias_(config.has_proj_bias()) {
  const QkvRows rows{
      .groups = config.kv_heads, .query = config.heads / config.kv_heads * head_dim_, .shared = 2 * head_dim_};
  ShardSpec qkv = column_parallel(config.kv_heads * (rows.query + rows.shared), config.hidden, config);
  qkv.qkv = rows;
  store.declare(prefix + "linear_qkv.weight", qkv);
  if (qkv_bias_) {
    ShardSpec bias = column_bias(qkv.global_shape[0]);
    bias.qkv = rows;
    store.declare(prefix + "linear_qkv.bias", bias);
  }
  store.declare(prefix + "linear_proj.weight", row_parallel(config.hidden, config.heads * head_dim_, config));
  if (proj_bias_) store.declare(prefix + "linear_proj.bias", row_bias(config.hidden));
}

at::Tensor SelfAttention::forward(const at::Tensor& normed, const LayerContext& context) {
  const auto weight = [&](const char* name) { return store_.weight(prefix_ + name); };
  const at::Tensor qkv = profiled_call(prefix_, "linear_qkv", [&] {
    return parallel::column_parallel_linear(normed, weight("linear_qkv.weight"),
                                            qkv_bias_ ? weight("linear_qkv.bias") : ops::Weight{}, tensor_);
  });
  const at::Tensor attended = profiled_call(prefix_, "core_attention", [&] {
    return context.cache != nullptr ? attend_to_cache(qkv, context) : attend(qkv, context);
  });
  return profiled_call(prefix_, "linear_proj", [&] {
    return parallel::row_parallel_linear(attended, weight("linear_proj.weight"),
                                         proj_bias_ ? weight("linear_proj.bias") : ops::Weight{}, tensor_);
  });
}

at::Tensor SelfAttention::attend(const at::Tensor& qkv, const LayerContext& context) const {
  ops::AttentionOptions options;
  options.heads = heads_;
  options.kv_heads = kv_heads_;
  options.head_dim = head_dim_;
  options.scale = scale_;
  options.cu_seqlens = context.cu_seqlens;
  options.positions = context.positions;
  options.rope = context.rope;
  if (context.training && dropout_ > 0) {
    options.dropout = dropout_;
    options.first_head = tensor_.rank() * heads_;
    options.dropout_key = {context.seed, prefix_ + "probabilities", context.place, /*first_token=*/0};
  }
  return ops::attention(qkv, options);
}

// Generation: the new tokens (at positions length, length + 1, …) attend to everything held so far and, causally, to
// each other. qkv [new, (heads + 2 kv_heads) · head_dim].
at::Tensor SelfAttention::attend_to_cache(const at::Tensor& qkv, const LayerContext& context) const {
  KvCache& cache = *context.cache;
  const int64_t fresh = qkv.size(0), begin = cache.length, end = begin + fresh;
  const int64_t per_group = heads_ / kv_heads_;
  LONGHAUL_CHECK(end <= cache.capacity, "{} tokens do not fit a cache of {}", end, cache.capacity);
  const at::Tensor grouped = qkv.view({fresh, kv_heads_, per_group + 2, head_dim_});
  at::Tensor query = grouped.narrow(2, 0, per_group);  // [new, kv_heads, per_group, head_dim]
  at::Tensor key = grouped.narrow(2, per_group, 1);    // [new, kv_heads, 1, head_dim]
  const at::Tensor value = grouped.narrow(2, per_group + 1, 1);
  if (context.rope.defined()) {
    query = rotate(query, context.rope, begin);
    key = rotate(key, context.rope, begin);
  }
  cache.keys[layer_].narrow(0, begin, fresh).copy_(key.squeeze(2));
  cache.values[layer_].narrow(0, begin, fresh).copy_(value.squeeze(2));
  const at::Tensor keys = cache.keys[layer_].narrow(0, 0, end).permute({1, 2, 0}).to(at::kFloat);      // [g, d, end]
  const at::Tensor values = cache.values[layer_].narrow(0, 0, end).permute({1, 0, 2}).to(at::kFloat);  // [g, end, d]
  // [g, per_group · new, d]
  const at::Tensor queries =
      query.permute({1, 2, 0, 3}).reshape({kv_heads_, per_group * fresh, head_dim_}).to(at::kFloat);
  at::Tensor scores = at::matmul(queries, keys).mul_(scale_);
  if (fresh > 1) {
    const auto device = qkv.device();
    const at::Tensor position = at::arange(begin, end, at::TensorOptions().device(device)).repeat({per_group});
    const at::Tensor blocked = at::arange(end, at::TensorOptions().device(device)).unsqueeze(0) > position.unsqueeze(1);
    scores.masked_fill_(blocked, -std::numeric_limits<double>::infinity());
  }
  const at::Tensor attended = at::matmul(at::softmax(scores, -1), values);  // [g, per_group · new, d]
  return attended.view({kv_heads_, per_group, fresh, head_dim_})
      .permute({2, 0, 1, 3})
      .reshape({fresh, heads_ * head_dim_})
      .to(qkv.scalar_type());
}

}  // namespace longhaul
