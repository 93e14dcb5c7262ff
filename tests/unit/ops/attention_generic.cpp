#include "unit/ops/attention_generic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>

#include <limits>

#include "ops/attention_dropout.h"

namespace longhaul::ops {
namespace {

at::Tensor document_positions(const AttentionOptions& options, at::Device device) {
  if (options.positions.defined()) return options.positions;
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i + 1 < options.cu_seqlens.size(); ++i) {
    parts.push_back(at::arange(options.cu_seqlens[i + 1] - options.cu_seqlens[i],
                               at::TensorOptions().dtype(at::kLong).device(device)));
  }
  return at::cat(parts);
}

// x [tokens, groups, n, head_dim]; cos and sin [tokens, rotary_dim / 2].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = cos.size(1);
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor c = cos.to(wide).unsqueeze(1).unsqueeze(1);
  const at::Tensor s = sin.to(wide).unsqueeze(1).unsqueeze(1);
  const at::Tensor first = x.narrow(3, 0, half).to(wide);
  const at::Tensor second = x.narrow(3, half, half).to(wide);
  return at::cat({(first * c - second * s).to(x.scalar_type()), (second * c + first * s).to(x.scalar_type()),
                  x.narrow(3, 2 * half, x.size(3) - 2 * half)},
                 3);
}

// Multipliers [groups, heads per group, length, length] for the document that starts at `begin`.
at::Tensor dropout_multipliers(const AttentionDropout& dropout, const AttentionOptions& options, int64_t begin,
                               int64_t length) {
  at::Tensor mask = at::empty({options.heads, length, length}, at::kFloat);
  float* out = mask.mutable_data_ptr<float>();
  for (int64_t head = 0; head < options.heads; ++head) {
    for (int64_t query = 0; query < length; ++query) {
      dropout.multipliers(head, begin + query, begin, length, out + (head * length + query) * length);
    }
  }
  return mask.view({options.kv_heads, options.heads / options.kv_heads, length, length});
}

}  // namespace

at::Tensor attention_generic(const at::Tensor& qkv, const AttentionOptions& options) {
  const int64_t tokens = qkv.size(0);
  const int64_t per_group = options.heads / options.kv_heads;
  const at::Tensor groups = qkv.view({tokens, options.kv_heads, per_group + 2, options.head_dim});
  at::Tensor q = groups.narrow(2, 0, per_group);
  at::Tensor k = groups.narrow(2, per_group, 1);
  const at::Tensor v = groups.narrow(2, per_group + 1, 1);
  if (options.rope.defined()) {
    const at::Tensor positions = document_positions(options, qkv.device());
    const at::Tensor cos = options.rope.cos.index_select(0, positions);
    const at::Tensor sin = options.rope.sin.index_select(0, positions);
    q = rotate(q, cos, sin);
    k = rotate(k, cos, sin);
  }
  const AttentionDropout dropout(options.dropout, options.dropout_key, options.first_head, options.heads);
  const auto wide = qkv.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i + 1 < options.cu_seqlens.size(); ++i) {
    const int64_t begin = options.cu_seqlens[i];
    const int64_t length = options.cu_seqlens[i + 1] - begin;
    if (length == 0) continue;
    const auto heads_first = [&](const at::Tensor& x) { return x.narrow(0, begin, length).permute({1, 2, 0, 3}); };
    const at::Tensor future = at::ones({length, length}, qkv.options().dtype(at::kBool)).triu(1);
    at::Tensor scores = at::matmul(heads_first(q), heads_first(k).transpose(2, 3)).to(wide) * options.scale;
    scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
    at::Tensor probabilities = at::softmax(scores, -1);
    if (dropout.active()) {
      probabilities = probabilities * dropout_multipliers(dropout, options, begin, length).to(qkv.device());
    }
    const at::Tensor out = at::matmul(probabilities.to(qkv.scalar_type()), heads_first(v));
    outputs.push_back(out.permute({2, 0, 1, 3}).reshape({length, options.heads * options.head_dim}));
  }
  return outputs.empty() ? at::empty({0, options.heads * options.head_dim}, qkv.options()) : at::cat(outputs);
}

}  // namespace longhaul::ops
