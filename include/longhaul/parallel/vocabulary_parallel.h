#pragma once

#include "longhaul/ops/weight.h"
#include "longhaul/parallel/tensor_group.h"

namespace longhaul::parallel {

// An embedding whose rows are cut over the tensor-parallel ranks: ids [tokens] int64, table [rows, hidden], the rank's
// rows (rank · rows is the first) -> hidden states. An id outside [0, vocab_size) is a UserError that names it.
at::Tensor vocabulary_parallel_embedding(const at::Tensor& ids, const ops::Weight& table, int64_t vocab_size,
                                         const TensorGroup& group);

}  // namespace longhaul::parallel
