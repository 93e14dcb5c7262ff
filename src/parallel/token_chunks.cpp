#include "parallel/token_chunks.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "ops/gemm.h"

namespace longhaul::parallel {

TokenChunks::TokenChunks(int64_t held_tokens, const TensorGroup& group)
    : held_(held_tokens),
      slices_(group.cuts_tokens() ? group.size() : 1),
      count_(std::clamp<int64_t>(group.chunks, 1, std::max<int64_t>(held_tokens, 1))) {}

at::Tensor TokenChunks::of_held(const at::Tensor& held, int64_t chunk) const {
  return held.narrow(0, begin(chunk), length(chunk));
}

at::Tensor TokenChunks::of_all(const at::Tensor& all, int64_t chunk) const {
  return all.view({slices_, held_, all.size(1)}).narrow(1, begin(chunk), length(chunk));
}

GatheredTokens::GatheredTokens(const at::Tensor& held, const TensorGroup& group)
    : chunks_(held.size(0), group.cuts_tokens() ? group : TensorGroup()),
      tokens_(held.size(0) * (group.cuts_tokens() ? group.size() : 1)),
      width_(held.size(1)) {
  for (int64_t c = 0; c < chunks_.count(); ++c) arriving_.push_back(gather_tokens(chunks_.of_held(held, c), group));
}

at::Tensor GatheredTokens::times(const at::Tensor& b, const at::Tensor& bias) {
  using ops::GemmMode;
  const int64_t n = b.size(1);
  const at::Tensor out = at::empty({tokens_, n}, b.options());
  if (chunks_.count() == 1) {
    ops::gemm(arriving_[0].wait(), b, out, GemmMode::overwrite, bias);
    return out;
  }
  for (int64_t c = 0; c < chunks_.count(); ++c) {
    const at::Tensor chunk = arriving_[c].wait();
    const at::Tensor product = at::empty({chunk.size(0), n}, b.options());
    ops::gemm(chunk, b, product, GemmMode::overwrite, bias);
    const at::Tensor place = chunks_.of_all(out, c);
    place.copy_(product.view(place.sizes()));
  }
  return out;
}

at::Tensor GatheredTokens::take() {
  if (chunks_.count() == 1) return arriving_[0].wait();
  const at::Tensor all = at::empty({tokens_, width_}, arriving_[0].value.options());
  for (int64_t c = 0; c < chunks_.count(); ++c) {
    const at::Tensor chunk = std::exchange(arriving_[c], {}).wait(), place = chunks_.of_all(all, c);
    place.copy_(chunk.view(place.sizes()));
  }
  return all;
}

Pending sum_of_products(const at::Tensor& x, const at::Tensor& b, const TensorGroup& group) {
  const int64_t held = group.held_tokens(x.size(0)), n = b.size(1);
  const TokenChunks chunks(held, group);
  Pending all;
  all.value = at::empty({held, n}, x.options());
  for (int64_t c = 0; c < chunks.count(); ++c) {
    const at::Tensor rows = chunks.of_all(x, c).reshape({-1, x.size(1)});
    // Where tokens are not cut the sum stands where it is computed.
    const at::Tensor place = chunks.of_held(all.value, c);
    const at::Tensor product = group.cuts_tokens() ? at::empty({rows.size(0), n}, x.options()) : place;
    ops::gemm(rows, b, product);
    Pending sum = sum_partials_into(place, product, group);
    all.parts.push_back(std::move(sum.parts.front()));
  }
  return all;
}

}  // namespace longhaul::parallel
