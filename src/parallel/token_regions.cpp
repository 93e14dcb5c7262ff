#include "parallel/token_regions.h"

#include <ATen/ops/empty.h>

#include "longhaul/core/error.h"
#include "ops/tensor_buffer.h"

namespace longhaul::parallel {

Pending gather_tokens(const at::Tensor& held, const TensorGroup& group) {
  if (!group.cuts_tokens()) return {held, {}, {}};
  const at::Tensor slice = held.contiguous();
  const at::Tensor all = at::empty({slice.size(0) * group.size(), slice.size(1)}, slice.options());
  comm::Work work = group.ranks->all_gather(ops::buffer_of(slice), ops::buffer_of(all));
  return {all, slice, std::move(work)};
}

Pending sum_partials(const at::Tensor& partial, const TensorGroup& group) {
  if (!group.active()) return {partial, {}, {}};
  if (!group.cuts_tokens()) return {partial, {}, group.ranks->all_reduce(ops::buffer_of(partial))};
  LONGHAUL_CHECK(partial.size(0) % group.size() == 0, "{} tokens over {} ranks", partial.size(0), group.size());
  const at::Tensor held = at::empty({partial.size(0) / group.size(), partial.size(1)}, partial.options());
  comm::Work work = group.ranks->reduce_scatter(ops::buffer_of(partial), ops::buffer_of(held));
  return {held, partial, std::move(work)};
}

}  // namespace longhaul::parallel
