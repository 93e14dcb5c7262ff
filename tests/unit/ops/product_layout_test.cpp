#include "ops/product_layout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace longhaul::ops {
namespace {

StridedMatrix matrix_of(const at::Tensor& x) {
  return {x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

double element(const double* data, const ColumnMajorFactor& x, int64_t row, int64_t column) {
  EXPECT_GE(x.leading, x.rows);
  return x.transposed ? data[column + row * x.leading] : data[row + column * x.leading];
}

// What a column-major library makes of the layout, by the definition.
void multiply(const ProductLayout& layout, const double* left, const double* right, double* out) {
  const int64_t inner = layout.left.transposed ? layout.left.rows : layout.left.columns;
  EXPECT_EQ(inner, layout.right.transposed ? layout.right.columns : layout.right.rows);
  EXPECT_FALSE(layout.out.transposed);
  for (int64_t i = 0; i < layout.out.rows; ++i) {
    for (int64_t j = 0; j < layout.out.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) sum += element(left, layout.left, i, k) * element(right, layout.right, k, j);
      out[i + j * layout.out.leading] = sum;
    }
  }
}

TEST(ProductLayout, gives_the_product_of_every_layout) {
  const auto matrix = [](int64_t rows, int64_t columns, bool transposed, int64_t gap) {
    return transposed ? at::randn({columns, rows + gap}, at::kDouble).narrow(1, 0, rows).t()
                      : at::randn({rows, columns + gap}, at::kDouble).narrow(1, 0, columns);
  };
  for (const int64_t m : {1, 3, 5}) {
    for (const int64_t n : {1, 4}) {
      for (const int64_t k : {1, 6}) {
        for (int choice = 0; choice < 16; ++choice) {
          const at::Tensor a = matrix(m, k, choice & 1, choice & 4 ? 2 : 0),
                           b = matrix(k, n, choice & 2, choice & 8 ? 3 : 0);
          const at::Tensor out = at::zeros({m, n + 2}, at::kDouble).narrow(1, 0, n);
          const auto layout = product_layout(matrix_of(a), matrix_of(b), matrix_of(out));
          ASSERT_TRUE(layout) << m << n << k << choice;
          multiply(*layout, b.const_data_ptr<double>(), a.const_data_ptr<double>(), out.mutable_data_ptr<double>());
          EXPECT_TRUE(at::allclose(out, at::matmul(a, b))) << m << n << k << choice;
        }
      }
    }
  }
}

TEST(ProductLayout, refuses_what_has_no_stride_of_1) {
  const at::Tensor a = at::zeros({4, 6}).as_strided({2, 3}, {12, 2}), b = at::zeros({3, 5}), out = at::zeros({2, 5});
  EXPECT_FALSE(product_layout(matrix_of(a), matrix_of(b), matrix_of(out)));
  EXPECT_FALSE(product_layout(matrix_of(at::zeros({2, 3})), matrix_of(b), matrix_of(at::zeros({5, 2}).t())));
}

}  // namespace
}  // namespace longhaul::ops
