// Matrix products beside the communication of their tokens, in chunks: while the product of one chunk is computed, the
// next one is on its way. A chunk is the same few tokens of each rank's slice under sequence parallelism, otherwise a
// run of all tokens.
//
// Each token's result is a sum over the same numbers in the same order as without chunks: a chunk only has fewer rows.
// All ranks start the chunks' communication in the same order.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "longhaul/parallel/tensor_group.h"
#include "parallel/token_regions.h"

namespace longhaul::parallel {

class TokenChunks {
 public:
  // Of so many tokens, as many as a rank holds outside attention and MLP.
  TokenChunks(int64_t held_tokens, const TensorGroup& group);

  int64_t count() const { return count_; }
  int64_t begin(int64_t chunk) const { return held_ * chunk / count_; }
  int64_t length(int64_t chunk) const { return begin(chunk + 1) - begin(chunk); }
  // The chunk's rows as a view: [length, width] of a tensor of the held tokens, [slices, length, width] of one of all.
  at::Tensor of_held(const at::Tensor& held, int64_t chunk) const;
  at::Tensor of_all(const at::Tensor& all, int64_t chunk) const;

 private:
  int64_t held_, slices_, count_;
};

// Hidden states that the ranks send each other, and what is computed of them.
class GatheredTokens {
 public:
  // `held` [held tokens, width]: all chunks start on their way.
  GatheredTokens(const at::Tensor& held, const TensorGroup& group);
  // All tokens · b [width, n] + bias [n] (may be undefined) -> [tokens, n]; each chunk's as soon as it has come.
  at::Tensor times(const at::Tensor& b, const at::Tensor& bias = {});
  // All tokens [tokens, width]. Call it last: it gives up the chunks.
  at::Tensor take();

 private:
  const TokenChunks chunks_;
  const int64_t tokens_, width_;
  std::vector<Pending> arriving_;
};

// The ranks' sum of x [tokens, k] · b [k, n], or this rank's slice of it: sum_partials of the product, each chunk's as
// soon as it is computed.
Pending sum_of_products(const at::Tensor& x, const at::Tensor& b, const TensorGroup& group);

}  // namespace longhaul::parallel
