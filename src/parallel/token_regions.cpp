#include "parallel/token_regions.h"

#include <ATen/ops/empty.h>

#include "longhaul/core/error.h"
#include "ops/tensor_buffer.h"

namespace longhaul::parallel {

Pending gather_tokens(const at::Tensor& held, const TensorGroup& group) {
  if (!group.cuts_tokens()) return {held, {}};
  const at::Tensor slice = held.contiguous();
  const at::Tensor all = at::empty({slice.size(0) * group.size(), slice.size(1)}, slice.options());
  return {all, {{slice, group.ranks->all_gather(ops::buffer_of(slice), ops::buffer_of(all))}}};
}

Pending sum_partials(const at::Tensor& partial, const TensorGroup& group) {
  if (!group.active()) return {partial, {}};
  if (!group.cuts_tokens()) return sum_partials_into(partial, partial, group);
  LONGHAUL_CHECK(partial.size(0) % group.size() == 0, "{} tokens over {} ranks", partial.size(0), group.size());
  return sum_partials_into(at::empty({partial.size(0) / group.size(), partial.size(1)}, partial.options()), partial,
                           group);
}

Pending sum_partials_into(const at::Tensor& sum, const at::Tensor& partial, const TensorGroup& group) {
  if (!group.cuts_tokens()) return {sum, {{partial, group.ranks->all_reduce(ops::buffer_of(sum))}}};
  return {sum, {{partial, group.ranks->reduce_scatter(ops::buffer_of(partial), ops::buffer_of(sum))}}};
}

}  // namespace longhaul::parallel
