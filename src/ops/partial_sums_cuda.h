// The last step of a sum over rows on CUDA (ops/row_blocks.h).
#pragma once

#include <cstdint>

namespace longhaul::ops::cuda {

// sum[i] += Σ over blocks, in a fixed order, of partials[block, i]. partials [blocks, columns]; null `sum`:
// nothing.
void add_partials(const float* partials, int64_t blocks, int64_t columns, float* sum, void* stream);
void add_partials(const double* partials, int64_t blocks, int64_t columns, double* sum, void* stream);

}  // namespace longhaul::ops::cuda
