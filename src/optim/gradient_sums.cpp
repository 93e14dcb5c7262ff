#include "longhaul/optim/gradient_sums.h"

#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>

#include "longhaul/core/error.h"
#include "ops/tensor_buffer.h"

namespace longhaul {

GradientSums::GradientSums(const ParameterStore& store, const std::vector<UnitShare>& shares,
                           comm::Communicator* ends) {
  const TensorGroup& tensor = store.tensor();
  Sum tokens{tensor.ranks, {}}, heads{nullptr, {}}, tied{ends, {}};
  int sharers = 1;
  for (size_t i = 0; i < store.parameters().size(); ++i) {
    const Parameter& p = store.parameters()[i];
    const UnitShare& share = shares[store.unit_of(i)];
    const auto add = [&](Sum& sum, FlatRange range) {
      const FlatRange held = intersection(range, share.range);
      if (held.count() > 0)
        sum.gradients.push_back(share.gradients.narrow(0, held.begin - share.range.begin, held.count()));
    };
    for (size_t b = 0; b < p.blocks.size(); ++b) {
      const FlatRange range = store.range_of(i, b);
      if (p.shard.per_token && tensor.cuts_tokens()) add(tokens, range);
      // Where the ends share it, the embedding is the only table over the vocabulary.
      if (p.shard.vocabulary && ends != nullptr) add(tied, range);
      if (p.shard.tensor_dim < 0 || p.blocks[b].holders == 1 || !tensor.active()) continue;
      add(heads, range);
      sharers = p.blocks[b].holders;
    }
  }
  if (sharers > 1) {
    sharers_ = tensor.ranks->split(tensor.rank() / sharers, "key/value sharers");
    heads.ranks = sharers_.get();
  }
  for (Sum& sum : {std::ref(tokens), std::ref(heads), std::ref(tied)}) {
    if (!sum.gradients.empty()) sums_.push_back(std::move(sum));
  }
}

void GradientSums::run() {
  c10::AutoGradMode no_grad(false);
  for (const Sum& sum : sums_) {
    at::Tensor flat = sum.gradients.size() == 1 ? sum.gradients[0] : at::cat(sum.gradients);
    ops::sum_over(sum.ranks, flat);
    if (sum.gradients.size() == 1) continue;
    int64_t at = 0;
    for (at::Tensor gradient : sum.gradients) {
      gradient.copy_(flat.narrow(0, at, gradient.numel()));
      at += gradient.numel();
    }
  }
}

}  // namespace longhaul
