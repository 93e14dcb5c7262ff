#include "longhaul/parallel/vocabulary_parallel.h"

#include <ATen/TensorOperators.h>

#include "longhaul/ops/embedding.h"
#include "longhaul/parallel/parallel_linear.h"

namespace longhaul::parallel {

at::Tensor vocabulary_parallel_embedding(const at::Tensor& ids, const ops::Weight& table, int64_t vocab_size,
                                         const TensorGroup& group) {
  if (!group.active()) return ops::embedding(ids, table);
  ops::check_token_ids(ids, vocab_size);
  const int64_t rows = table.value.size(0), first = group.rank() * rows;
  const at::Tensor elsewhere = (ids < first).logical_or_(ids >= first + rows);
  // Another rank's ids look up row 0 here; the mask makes that 0, and their gradient too.
  const at::Tensor local = (ids - first).masked_fill_(elsewhere, 0);
  return reduce_hidden(ops::embedding(local, table).masked_fill(elsewhere.unsqueeze(1), 0), group);
}

}  // namespace longhaul::parallel
