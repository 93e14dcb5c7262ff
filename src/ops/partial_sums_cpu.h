// The last step of a sum over rows on the CPU (ops/row_blocks.h).
#pragma once

#include <cstdint>

namespace longhaul::ops::cpu {

// sum[i] += Σ over blocks, in order, of partials[block, i]. partials [blocks, columns]; a null `sum` does
// nothing.
void add_partials(const float* partials, int64_t blocks, int64_t columns, float* sum);
void add_partials(const double* partials, int64_t blocks, int64_t columns, double* sum);

}  // namespace longhaul::ops::cpu
