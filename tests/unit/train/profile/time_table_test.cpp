#include "train/profile/time_table.h"

#include <gtest/gtest.h>

#include <numeric>

#include "ops/profile_scope.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

constexpr int64_t kMs = 1'000'000;  // ns

ProfileSpan on_host(const std::string& name, int64_t begin, int64_t end, uint64_t id = 0, int64_t thread = 1) {
  return {.name = name, .begin = begin * kMs, .end = end * kMs, .thread = thread, .id = id};
}
ProfileSpan on_gpu(const std::string& name, int64_t begin, int64_t end, uint64_t cause) {
  return {.name = name, .begin = begin * kMs, .end = end * kMs, .on_gpu = true, .cause = cause};
}

double milliseconds(const TimeUse& use, const std::string& name) {
  for (const TimeRow& row : use.rows)
    if (row.name == name) return row.seconds * 1e3;
  return -1;
}

// 100 ms: a caller of 40 ms with callees of 10 and 5, one of them with its own of 4; a product of 20 that calls a
// LibTorch operator; 5 ms on another thread.
std::vector<ProfileSpan> host_spans() {
  return {
      on_host("caller", 0, 40),
      on_host("callee", 5, 15),
      on_host("inner", 6, 10),
      on_host("callee", 20, 25),
      on_host(ops::gemm_span(1000, 2000, 500), 50, 70),
      on_host("aten::mm", 51, 69),
      on_host(
          "autograd::engine::evaluate_function: torch::autograd::CppNode<longhaul::ops::(anonymous namespace)::LinearFunction>",
          75, 80),
      on_host("elsewhere", 0, 5, 0, /*thread=*/2)};
}

TEST(TimeTable, OperatorsCountWithoutTheirCallees) {
  const TimeUse use = time_use(host_spans(), 0.1);
  EXPECT_FALSE(use.on_gpu);
  EXPECT_NEAR(milliseconds(use, "caller"), 25, 1e-9);
  EXPECT_NEAR(milliseconds(use, "callee"), 11, 1e-9);
  EXPECT_NEAR(milliseconds(use, "inner"), 4, 1e-9);
  EXPECT_NEAR(milliseconds(use, "gemm 1000x2000x500"), 20, 1e-9) << "a product is whole, whoever computes it";
  EXPECT_EQ(milliseconds(use, "aten::mm"), -1);
  EXPECT_NEAR(milliseconds(use, "LinearFunction (backward)"), 5, 1e-9);
  const double sum = std::accumulate(use.rows.begin(), use.rows.end(), 0.0,
                                     [](double before, const TimeRow& row) { return before + row.seconds; });
  EXPECT_NEAR(sum, 0.070, 1e-12);
  EXPECT_NEAR(use.busy, sum, 1e-12);
  for (size_t i = 1; i < use.rows.size(); ++i) EXPECT_GE(use.rows[i - 1].seconds, use.rows[i].seconds);
}

TEST(TimeTable, ShowsSharesAndRates) {
  const std::string text = time_table(time_use(host_spans(), 0.1), 2e11);
  EXPECT_CONTAINS(text, "25.0 %");  // caller
  EXPECT_CONTAINS(text, "0.1");     // 2 GFLOP in 20 ms: 0.1 TFLOP/s
  EXPECT_CONTAINS(text, "50 %");    // of 0.2
  EXPECT_CONTAINS(text, "30.0 %");  // outside operators
}

TEST(TimeTable, BeyondTenThereAreOthers) {
  std::vector<ProfileSpan> spans;
  for (int64_t i = 0; i < 13; ++i) spans.push_back(on_host(fmt::format("operator {}", i), 10 * i, 10 * i + 8 - i / 2));
  const std::string text = time_table(time_use(spans, 0.13), 0);
  EXPECT_CONTAINS(text, "3 others");
  EXPECT_EQ(text.find("operator 12"), std::string::npos);
}

TEST(TimeTable, OnAGpuKernelsCountAndProductsKnowTheirWork) {
  const std::vector<ProfileSpan> spans{on_host(ops::gemm_span(4096, 4096, 4096), 0, 1, /*id=*/7),
                                       on_host("aten::mm", 0, 1, /*id=*/8),
                                       on_host("norm_forward", 2, 3, /*id=*/9),
                                       on_gpu("void big_kernel", 10, 20, /*cause=*/8),
                                       on_gpu("split_k_sum", 20, 22, /*cause=*/8),
                                       on_gpu("norm", 18, 26, /*cause=*/9),  // beside the others
                                       on_gpu("Memcpy HtoD", 30, 31, /*cause=*/0)};
  const TimeUse use = time_use(spans, 0.040);
  EXPECT_TRUE(use.on_gpu);
  EXPECT_EQ(use.rows.size(), 4U) << "nothing of the host";
  EXPECT_EQ(use.rows[0].name, "big_kernel");
  EXPECT_EQ(use.rows[0].flops, 2.0 * 4096 * 4096 * 4096);
  for (size_t i = 1; i < use.rows.size(); ++i) EXPECT_EQ(use.rows[i].flops, 0) << use.rows[i].name;
  EXPECT_NEAR(use.busy, 0.017, 1e-12) << "10..26 and 30..31";
  EXPECT_CONTAINS(time_table(use, 0), "idle");
}

}  // namespace
}  // namespace longhaul
