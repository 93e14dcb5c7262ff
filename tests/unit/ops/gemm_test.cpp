#include "ops/gemm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "unit/ops/finite_difference.h"

namespace longhaul::ops {
namespace {

using test::relative_error;
using test::rms_error;

struct Product {
  int64_t m, n, k;
};

class Gemm : public testing::TestWithParam<Product> {};

// Every layout of the operands, every type of result, both implementations, against double.
TEST_P(Gemm, all_layouts_and_types) {
  at::manual_seed(2);
  const auto [m, n, k] = GetParam();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (int layout = 0; layout < 4; ++layout) {
      const at::Tensor a = layout & 1 ? at::randn({k, m}).to(type).t() : at::randn({m, k}).to(type);
      const at::Tensor b = layout & 2 ? at::randn({n, k}).to(type).t() : at::randn({k, n}).to(type);
      const at::Tensor bias = at::randn({n}).to(type);
      const at::Tensor exact = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
      for (const auto& product : {gemm, gemm_generic}) {
        const at::Tensor out = at::empty({m, n}, type), sum = at::ones({m, n});
        product(a, b, out, GemmMode::overwrite, bias);
        EXPECT_LT(rms_error(out, exact + bias.to(at::kDouble)), type == at::kFloat ? 1e-6 : 4e-3);
        product(a, b, sum, GemmMode::accumulate, {});
        EXPECT_LT(relative_error(sum, exact + 1), 2e-6);
        product(a, b, sum, GemmMode::overwrite, bias);
        EXPECT_LT(relative_error(sum, exact + bias.to(at::kDouble)), 2e-6);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Products, Gemm,
                         testing::Values(Product{1, 1, 1}, Product{14, 32, 16}, Product{15, 33, 17}, Product{2, 300, 5},
                                         Product{113, 47, 2100}, Product{40, 600, 31}, Product{300, 20, 64}));

TEST(GemmEdges, rows_of_a_wider_matrix_keep_their_neighbours) {
  const at::Tensor a = at::randn({20, 30}), b = at::randn({30, 40}), whole = at::full({20, 100}, 7.0);
  gemm(a, b, whole.narrow(1, 10, 40));
  EXPECT_LT(relative_error(whole.narrow(1, 10, 40), at::matmul(a, b)), 1e-6);
  EXPECT_TRUE(whole.narrow(1, 0, 10).eq(7).all().item<bool>());
  EXPECT_TRUE(whole.narrow(1, 50, 50).eq(7).all().item<bool>());
}

TEST(GemmEdges, nothing_to_contract_gives_zero) {
  const at::Tensor out = at::ones({3, 4});
  gemm(at::empty({3, 0}), at::empty({0, 4}), out);
  EXPECT_EQ(out.abs().max().item<float>(), 0);
}

TEST(GemmEdges, one_and_two_threads_agree_to_the_bit) {
  const int threads = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor a = at::randn({200, 2500}).to(type), b = at::randn({2500, 700}).to(type);
    const at::Tensor one = at::zeros({200, 700}), two = at::zeros({200, 700});
    at::set_num_threads(1);
    gemm(a, b, one, GemmMode::accumulate);
    at::set_num_threads(2);
    gemm(a, b, two, GemmMode::accumulate);
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(one, two));
  }
}

TEST(ColumnSums, add_in_a_fixed_order) {
  const int threads = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::randn({1000, 77}).to(type);
    std::vector<at::Tensor> sums;
    for (const int n : {1, 2}) {
      at::set_num_threads(n);
      sums.push_back(at::ones({77}));
      add_column_sums(x, sums.back());
    }
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(sums[0], sums[1]));
    EXPECT_LT(relative_error(sums[0], x.to(at::kDouble).sum(0) + 1), 1e-6);
  }
}

}  // namespace
}  // namespace longhaul::ops
