// Sums of columns on the CPU, such as a bias's gradient (see ops/row_blocks.h for the order).
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops::cpu {

// out [columns] += Σ over rows of x [rows, columns], contiguous; `out` is FP32 (FP64 for FP64).
void add_column_sums(ElementType type, const void* x, int64_t rows, int64_t columns, void* out);

}  // namespace longhaul::ops::cpu
