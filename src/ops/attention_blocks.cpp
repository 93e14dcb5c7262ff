// Attention composed of ATen operators, a block of queries of one document at a time, so that at most
// kScoreBytes of scores exist. The backward computes the probabilities once more, from the logarithms of
// their sums.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

#include "ops/attention_core.h"
#include "ops/attention_dropout.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kScoreBytes = int64_t{64} << 20;

// Queries [begin, end) of a document whose keys up to there begin at `first`.
struct Block {
  int64_t first, begin, end;
  int64_t queries() const { return end - begin; }
  int64_t keys() const { return end - first; }
};

std::vector<Block> blocks_of(const Documents& documents, int64_t heads) {
  std::vector<Block> blocks;
  for (int64_t d = 0; d < documents.count(); ++d) {
    const int64_t first = documents.borders[d], end = documents.borders[d + 1];
    const int64_t row_bytes = heads * std::max<int64_t>(end - first, 1) * int64_t{sizeof(float)};
    const int64_t queries = std::max<int64_t>(kScoreBytes / row_bytes, 1);
    for (int64_t begin = first; begin < end; begin += queries) {
      blocks.push_back({first, begin, std::min(begin + queries, end)});
    }
  }
  return blocks;
}

class BlockwiseAttention {
 public:
  BlockwiseAttention(const AttentionInputs& in, const AttentionOptions& options)
      : in_(in),
        options_(options),
        groups_(options.kv_heads),
        per_group_(options.heads / options.kv_heads),
        wide_(compute_type(in.q)),
        dropout_(options.dropout, options.dropout_key, options.first_head, options.heads) {}

  // [groups, per_group · queries, head_dim] of x [tokens, heads, head_dim]
  at::Tensor queries_of(const at::Tensor& x, const Block& b) const {
    return x.narrow(0, b.begin, b.queries())
        .reshape({b.queries(), groups_, per_group_, options_.head_dim})
        .permute({1, 2, 0, 3})
        .reshape({groups_, per_group_ * b.queries(), options_.head_dim});
  }
  void put_queries(const at::Tensor& values, const Block& b, const at::Tensor& to) const {
    to.narrow(0, b.begin, b.queries())
        .view({b.queries(), groups_, per_group_, options_.head_dim})
        .copy_(values.view({groups_, per_group_, b.queries(), options_.head_dim}).permute({2, 0, 1, 3}));
  }
  // [groups, keys, head_dim] of x [tokens, groups, head_dim]
  at::Tensor keys_of(const at::Tensor& x, const Block& b) const {
    return x.narrow(0, b.first, b.keys()).transpose(0, 1);
  }

  // [groups, per_group, queries, keys], -inf where a key is later than its query.
  at::Tensor scores(const Block& b) const {
    const at::Tensor products = at::matmul(queries_of(in_.q, b), keys_of(in_.k, b).transpose(1, 2)).to(wide_);
    const at::Tensor later =
        at::ones({b.queries(), b.keys()}, in_.q.options().dtype(at::kBool)).triu(b.begin - b.first + 1);
    return (products * options_.scale)
        .view({groups_, per_group_, b.queries(), b.keys()})
        .masked_fill_(later, -std::numeric_limits<double>::infinity());
  }

  // What dropout multiplies the probabilities of the block with, in their shape; undefined without dropout.
  at::Tensor multipliers(const Block& b) const {
    if (!dropout_.active()) return {};
    const at::Tensor mask = at::empty({options_.heads, b.queries(), b.keys()}, in_.q.options().dtype(at::kFloat));
    dropout_.fill(b.begin, b.first, mask);
    return mask.view({groups_, per_group_, b.queries(), b.keys()}).to(wide_);
  }

  // probabilities [groups, per_group, queries, keys] times x [groups, keys, head_dim]
  at::Tensor times_keys(const at::Tensor& probabilities, const at::Tensor& x, const Block& b) const {
    return at::matmul(probabilities.to(x.scalar_type()).view({groups_, per_group_ * b.queries(), b.keys()}), x);
  }
  // The transpose of that times y [groups, per_group · queries, head_dim]: summed over a group's query heads.
  at::Tensor times_queries(const at::Tensor& probabilities, const at::Tensor& y, const Block& b) const {
    return at::matmul(
        probabilities.to(y.scalar_type()).view({groups_, per_group_ * b.queries(), b.keys()}).transpose(1, 2), y);
  }

  at::ScalarType wide() const { return wide_; }

 private:
  const AttentionInputs& in_;
  const AttentionOptions& options_;
  const int64_t groups_, per_group_;
  const at::ScalarType wide_;
  const AttentionDropout dropout_;
};

AttentionOutputs forward(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents) {
  const BlockwiseAttention attention(in, options);
  const at::Tensor out = at::empty(in.q.sizes(), in.q.options());
  const int64_t per_group = options.heads / options.kv_heads;
  // [groups, per_group, tokens]: of each query, log Σ exp(score)
  const at::Tensor log_sums =
      at::empty({options.kv_heads, per_group, in.q.size(0)}, in.q.options().dtype(attention.wide()));
  for (const Block& b : blocks_of(documents, options.heads)) {
    const at::Tensor scores = attention.scores(b);
    at::Tensor log_sum = log_sums.narrow(2, b.begin, b.queries());
    log_sum.copy_(at::logsumexp(scores, -1));
    at::Tensor probabilities = (scores - log_sum.unsqueeze(3)).exp_();
    if (const at::Tensor m = attention.multipliers(b); m.defined()) probabilities.mul_(m);
    attention.put_queries(attention.times_keys(probabilities, attention.keys_of(in.v, b), b), b, out);
  }
  return {out, {log_sums}};
}

AttentionInputs backward(const at::Tensor& dout, const AttentionInputs& in, const AttentionOutputs& forward,
                         const AttentionOptions& options, const Documents& documents) {
  const BlockwiseAttention attention(in, options);
  const at::ScalarType wide = attention.wide();
  const at::Tensor dq = at::empty(in.q.sizes(), in.q.options());
  const at::Tensor dk = at::zeros(in.k.sizes(), in.k.options().dtype(wide)), dv = at::zeros_like(dk);
  for (const Block& b : blocks_of(documents, options.heads)) {
    const at::Tensor log_sum = forward.saved[0].narrow(2, b.begin, b.queries());
    const at::Tensor probabilities = attention.scores(b).sub_(log_sum.unsqueeze(3)).exp_();
    const at::Tensor multipliers = attention.multipliers(b);
    const at::Tensor dout_rows = attention.queries_of(dout, b);
    const at::Tensor dropped = multipliers.defined() ? probabilities * multipliers : probabilities;
    attention.keys_of(dv, b).add_(attention.times_queries(dropped, dout_rows, b));
    at::Tensor dprobabilities =
        at::matmul(dout_rows, attention.keys_of(in.v, b).transpose(1, 2)).to(wide).view(probabilities.sizes());
    if (multipliers.defined()) dprobabilities = dprobabilities * multipliers;
    // Σ over the keys of probability · its gradient, which equals <out, dout>.
    const at::Tensor inner = (attention.queries_of(forward.out, b).to(wide) * dout_rows.to(wide))
                                 .sum(-1)
                                 .view({options.kv_heads, options.heads / options.kv_heads, b.queries(), 1});
    const at::Tensor dscores = (dprobabilities - inner).mul_(probabilities).mul_(options.scale);
    attention.put_queries(attention.times_keys(dscores, attention.keys_of(in.k, b), b), b, dq);
    attention.keys_of(dk, b).add_(attention.times_queries(dscores, attention.queries_of(in.q, b), b));
  }
  return {dq, dk.to(in.k.scalar_type()), dv.to(in.v.scalar_type())};
}

}  // namespace

AttentionCore blocks_core() {
  return {forward, backward};
}

}  // namespace longhaul::ops
