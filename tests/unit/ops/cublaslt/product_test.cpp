// Products as they are described to cuBLASLt: on the CPU a fake of it computes what the description says, on a GPU the
// library itself. Both against FP64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "longhaul/ops/device.h"
#include "ops/cublaslt/product_tensors.h"
#include "ops/gemm_cuda.h"
#include "unit/ops/cublaslt/fake_cublaslt.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

// Whether the fake has a way; then it computed.
bool multiply(const ProductTensors& tensors) {
  const auto spec = product_spec(tensors);
  if (!spec) return false;
  static const CublasLtLibrary library = test::fake_cublaslt();
  const Product product(library, nullptr, *spec);
  const ProductPointers pointers = product_pointers(tensors);
  const auto ways = product.ways(1, pointers);
  if (ways.empty()) return false;
  product.run(ways[0], pointers, nullptr);
  return true;
}

at::Tensor matrix(int64_t rows, int64_t columns, uint64_t seed, bool transposed = false) {
  return transposed ? random_tensor({columns, rows}, seed, at::kFloat).t()
                    : random_tensor({rows, columns}, seed, at::kFloat);
}

at::Tensor wide(const at::Tensor& x) {
  return x.to(at::kDouble);
}

at::Tensor gelu_of(const at::Tensor& x) {
  return at::gelu(wide(x), "tanh");
}

at::Tensor gelu_gradient(const at::Tensor& product, const at::Tensor& pre) {
  return at::gelu_backward(wide(product), wide(pre), "tanh");
}

struct Sizes {
  int64_t m, n, k;
};

class CublasLtProduct : public testing::TestWithParam<Sizes> {};

TEST_P(CublasLtProduct, IsDescribedAsItIsMeant) {
  const auto [m, n, k] = GetParam();
  for (int layout = 0; layout < 4; ++layout) {
    SCOPED_TRACE(layout);
    const at::Tensor a = matrix(m, k, 1, layout & 1), b = matrix(k, n, 2, layout & 2),
                     bias = random_tensor({n}, 3, at::kFloat);
    const at::Tensor sum = at::matmul(wide(a), wide(b)), out = at::empty({m, n}), aux = at::empty({m, n});
    ASSERT_TRUE(multiply({a, b, out}));
    EXPECT_LT(max_error(out, sum), 1e-6);
    ASSERT_TRUE(multiply({a, b, out, CUBLASLT_EPILOGUE_BIAS, bias}));
    EXPECT_LT(max_error(out, sum + wide(bias)), 1e-6);
    const at::Tensor total = at::ones({m, n});
    ASSERT_TRUE(multiply({.a = a, .b = b, .out = total, .accumulate = true}));
    EXPECT_LT(max_error(total, sum + 1), 1e-6);

    ASSERT_TRUE(multiply(product_with_gelu(a, b, aux, out, {})));
    EXPECT_LT(max_error(out, gelu_of(sum)), 1e-6);
    EXPECT_LT(max_error(aux, sum), 1e-6);
    ASSERT_TRUE(multiply(product_with_gelu(a, b, aux, out, bias)));
    EXPECT_LT(max_error(out, gelu_of(sum + wide(bias))), 1e-6);
    EXPECT_LT(max_error(aux, sum + wide(bias)), 1e-6);
    const at::Tensor pre = matrix(m, n, 4), before = pre.clone();
    ASSERT_TRUE(multiply(product_with_gelu_gradient(a, b, pre, out)));
    EXPECT_LT(max_error(out, gelu_gradient(sum, pre)), 1e-6);
    EXPECT_TRUE(bit_equal(pre, before));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CublasLtProduct,
                         testing::Values(Sizes{1, 8, 1}, Sizes{1, 16, 5}, Sizes{5, 8, 3}, Sizes{9, 24, 17}));

TEST(CublasLtProducts, TakeNoRowsOfAnOddLengthWithGelu) {
  const at::Tensor a = matrix(4, 3, 1), b = matrix(3, 12, 2), out = at::empty({4, 12}), aux = at::empty({4, 12});
  EXPECT_TRUE(multiply({a, b, out}));
  EXPECT_FALSE(multiply(product_with_gelu(a, b, aux, out, {})));
  EXPECT_FALSE(multiply(product_with_gelu_gradient(a, b, aux, out)));
}

TEST(CublasLtProducts, TakeNoFp64AndNoEmptySums) {
  const at::Tensor a = matrix(4, 3, 1), b = matrix(3, 8, 2), out = at::empty({4, 8});
  EXPECT_FALSE(product_spec({wide(a), wide(b), wide(out)}));
  EXPECT_FALSE(product_spec({matrix(4, 0, 1), matrix(0, 8, 2), out}));
  EXPECT_THROW((void)product_spec({a, b, out, CUBLASLT_EPILOGUE_DGELU}), InternalError);
}

TEST(CublasLtProducts, AreToldApartByTheirEpilogue) {
  EXPECT_FALSE(has_bias(CUBLASLT_EPILOGUE_DEFAULT) || has_aux(CUBLASLT_EPILOGUE_DEFAULT));
  for (const auto epilogue : {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_GELU_AUX_BIAS}) EXPECT_TRUE(has_bias(epilogue));
  // The bit by which the library's header marks them.
  for (const auto epilogue : {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_GELU_AUX,
                              CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU})
    EXPECT_EQ(has_aux(epilogue), (epilogue & 128) != 0);
}

// Each in one product of the library itself, at sizes that it has to have a way for in BF16.
TEST(CublasLtOnCuda, ProductsWithGelu) {
  if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  for (const Sizes& s : {Sizes{16, 64, 32}, Sizes{300, 1032, 256}, Sizes{4096, 3072, 768}}) {
    SCOPED_TRACE(testing::Message() << s.m << "x" << s.n << "x" << s.k);
    const double scale = 1 / std::sqrt(static_cast<double>(s.k));
    const at::Tensor a = (matrix(s.m, s.k, 1) * scale).to(at::kBFloat16),
                     weight = matrix(s.n, s.k, 2).to(at::kBFloat16);
    const at::Tensor bias = random_tensor({s.n}, 3, at::kBFloat16);
    const at::Tensor a_gpu = a.to(at::kCUDA), weight_gpu = weight.to(at::kCUDA), bias_gpu = bias.to(at::kCUDA);
    const at::Tensor pre = at::empty({s.m, s.n}, a_gpu.options()), out = at::empty_like(pre);
    const at::Tensor sum = at::matmul(wide(a), wide(weight).t());
    ASSERT_TRUE(cuda::gemm_gelu(a_gpu, weight_gpu.t(), pre, out, bias_gpu));
    EXPECT_LT(max_error(pre.cpu(), sum + wide(bias)), 0x1p-7);
    EXPECT_LT(max_error(out.cpu(), gelu_of(sum + wide(bias))), 0x1p-7);
    ASSERT_TRUE(cuda::gemm_gelu(a_gpu, weight_gpu.t(), pre, out, {}));
    EXPECT_LT(max_error(pre.cpu(), sum), 0x1p-7);
    EXPECT_LT(max_error(out.cpu(), gelu_of(sum)), 0x1p-7);
    const at::Tensor rows = weight_gpu.t().contiguous();  // as a backward has it
    ASSERT_TRUE(cuda::gemm_gelu_gradient(a_gpu, rows, pre, out));
    EXPECT_LT(max_error(out.cpu(), gelu_gradient(sum, pre.cpu())), 0x1p-6);
  }
}

}  // namespace
}  // namespace longhaul::ops
