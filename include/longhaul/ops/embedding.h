#pragma once

#include "longhaul/ops/weight.h"

namespace longhaul::ops {

// ids [tokens] int64, table [rows, hidden] -> [tokens, hidden]. The gradient's order of summation is fixed.
// An id outside the table is a UserError that names it; on CUDA it gives a row of zeros, and the error comes later
// (throw_device_faults).
at::Tensor embedding(const at::Tensor& ids, const Weight& table);

// UserError, with its number and its place, where an id is not in [0, rows); on CUDA later.
void check_token_ids(const at::Tensor& ids, int64_t rows);

}  // namespace longhaul::ops
