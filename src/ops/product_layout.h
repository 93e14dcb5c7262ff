// A product of row-major matrices as cuBLASLt takes it: column-major, so transposed, and with its factors
// swapped.
#pragma once

#include <cstdint>
#include <optional>

namespace longhaul::ops {

// A matrix of which one stride is 1.
struct StridedMatrix {
  int64_t rows, columns;
  int64_t row_stride, column_stride;
};

// A column-major matrix in memory, and whether the product takes its transpose.
struct ColumnMajorFactor {
  int64_t rows, columns, leading;
  bool transposed;
};

// outᵀ = left · right, all column-major.
struct ProductLayout {
  ColumnMajorFactor left, right;  // of b, of a
  ColumnMajorFactor out;          // [n, m]
};

// Of out [m, n] = a [m, k] · b [k, n]; nothing where a matrix is neither row-major nor column-major, or `out`
// not row-major.
std::optional<ProductLayout> product_layout(const StridedMatrix& a, const StridedMatrix& b, const StridedMatrix& out);

}  // namespace longhaul::ops
