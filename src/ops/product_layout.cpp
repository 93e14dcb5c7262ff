#include "ops/product_layout.h"

#include <algorithm>

namespace longhaul::ops {
namespace {

// xᵀ as a factor: a row-major x is a column-major xᵀ in memory. The stride of a dimension of size 1 means
// nothing.
std::optional<ColumnMajorFactor> transpose_of(const StridedMatrix& x) {
  if (x.column_stride == 1 || x.columns == 1) {
    const int64_t leading = x.rows == 1 ? std::max<int64_t>(x.columns, 1) : x.row_stride;
    if (leading >= x.columns) return ColumnMajorFactor{x.columns, x.rows, leading, false};
  }
  if (x.row_stride == 1 || x.rows == 1) {
    const int64_t leading = x.columns == 1 ? std::max<int64_t>(x.rows, 1) : x.column_stride;
    if (leading >= x.rows) return ColumnMajorFactor{x.rows, x.columns, leading, true};
  }
  return std::nullopt;
}

}  // namespace

std::optional<ProductLayout> product_layout(const StridedMatrix& a, const StridedMatrix& b, const StridedMatrix& out) {
  const auto left = transpose_of(b), right = transpose_of(a), result = transpose_of(out);
  if (!left || !right || !result || result->transposed) return std::nullopt;
  return ProductLayout{*left, *right, *result};
}

}  // namespace longhaul::ops
