#include "longhaul/ops/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

constexpr Activation kKinds[] = {Activation::gelu_erf, Activation::gelu_tanh, Activation::silu,
                                 Activation::squared_relu, Activation::relu};

// The definitions, out of ATen operators, in the type of x.
at::Tensor reference(const at::Tensor& x, Activation kind) {
  switch (kind) {
    case Activation::gelu_erf:
      return x * 0.5 * (1 + at::erf(x * std::sqrt(0.5)));
    case Activation::gelu_tanh:
      return x * 0.5 * (1 + at::tanh((x + x * x * x * 0.044715) * std::sqrt(2 / M_PI)));
    case Activation::silu:
      return x * at::sigmoid(x);
    case Activation::squared_relu:
      return x.clamp_min(0).square();
    case Activation::relu:
      return x.clamp_min(0);
  }
  return {};
}

at::Tensor gated_reference(const at::Tensor& gate_up, Activation kind) {
  const int64_t f = gate_up.size(1) / 2;
  return reference(gate_up.narrow(1, 0, f), kind) * gate_up.narrow(1, f, f);
}

TEST(Activation, PublishedVectors) {
  const at::Tensor x = at::tensor({-3.F, -1.F, -.5F, .5F, 1.F, 3.F}).view({1, 6});
  const auto expect = [&](Activation kind, const std::vector<float>& truth) {
    EXPECT_LT(max_error(activation(x, {}, kind).view({6}), at::tensor(truth)), 1.2e-7) << static_cast<int>(kind);
  };
  expect(Activation::gelu_erf, {-0.004049694F, -0.158655254F, -0.154268769F, 0.345731231F, 0.841344746F, 2.995950306F});
  expect(Activation::gelu_tanh,
         {-0.003637392F, -0.158808009F, -0.154285990F, 0.345714010F, 0.841191991F, 2.996362608F});
  expect(Activation::silu, {-0.142277620F, -0.268941421F, -0.188770334F, 0.311229666F, 0.731058579F, 2.857722380F});
  expect(Activation::squared_relu, {0, 0, 0, 0.25F, 1, 9});
  expect(Activation::relu, {0, 0, 0, 0.5F, 1, 3});
}

TEST(Activation, EqualsATenWithAndWithoutBias) {
  const ThreadCount one(1);
  for (Activation kind : kKinds) {
    for (int64_t columns : {1, 3, 17, 512, 513, 4096}) {
      for (int64_t tokens : {0, 1, 5, 100}) {
        for (bool with_bias : {false, true}) {
          SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " " << tokens << "x" << columns);
          const at::Tensor x = leaf(random_tensor({tokens, columns}, 1, at::kFloat) * 3);
          const at::Tensor bias = with_bias ? leaf(random_tensor({columns}, 2, at::kFloat)) : at::Tensor();
          const at::Tensor dy = random_tensor({tokens, columns}, 3, at::kFloat);
          const at::Tensor x64 = leaf(x.to(at::kDouble));
          const at::Tensor bias64 = with_bias ? leaf(bias.to(at::kDouble)) : at::Tensor();
          const at::Tensor y = activation(x, {bias}, kind), y64 = reference(with_bias ? x64 + bias64 : x64, kind);
          EXPECT_LT(max_error(y, y64), 1e-6);
          Tensors leaves = {x}, leaves64 = {x64};
          if (with_bias) leaves.push_back(bias), leaves64.push_back(bias64);
          const Tensors got = gradients_of({y}, {dy}, leaves);
          const Tensors truth = gradients_of({y64}, {dy.to(at::kDouble)}, leaves64);
          EXPECT_LT(max_error(got[0], truth[0]), 1e-6);
          if (with_bias) EXPECT_LT(max_error(got[1], truth[1]), 3e-5);  // a sum of 100 terms that cancel
        }
      }
    }
  }
}

TEST(GatedActivation, EqualsATen) {
  const ThreadCount one(1);
  for (Activation kind : kKinds) {
    for (int64_t columns : {1, 3, 17, 512, 513, 2816}) {
      for (int64_t tokens : {0, 1, 5, 100}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " " << tokens << "x" << columns);
        const at::Tensor x = leaf(random_tensor({tokens, 2 * columns}, 1, at::kFloat) * 3);
        const at::Tensor dy = random_tensor({tokens, columns}, 3, at::kFloat), x64 = leaf(x.to(at::kDouble));
        const at::Tensor y = gated_activation(x, kind), y64 = gated_reference(x64, kind);
        EXPECT_LT(max_error(y, y64), 1e-6);
        const Tensors got = gradients_of({y}, {dy}, {x}), truth = gradients_of({y64}, {dy.to(at::kDouble)}, {x64});
        EXPECT_LT(max_error(got[0], truth[0]), 2e-6);
      }
    }
  }
}

TEST(Activation, Gradcheck) {
  for (Activation kind : kKinds) {
    check_gradients([&](const Tensors& in) -> Tensors { return {activation(in[0], {in[1]}, kind)}; },
                    {leaf(random_tensor({4, 7}, 1)), leaf(random_tensor({7}, 2))});
    check_gradients([&](const Tensors& in) -> Tensors { return {gated_activation(in[0], kind)}; },
                    {leaf(random_tensor({4, 6}, 3))});
  }
}

TEST(Activation, Bfloat16RoundsOnce) {
  for (Activation kind : kKinds) {
    const at::Tensor x = random_tensor({30, 130}, 1, at::kBFloat16), bias = random_tensor({130}, 2, at::kBFloat16);
    const auto error = [](const at::Tensor& y, const at::Tensor& truth) {
      EXPECT_EQ(y.scalar_type(), at::kBFloat16);
      return ((y.to(at::kFloat) - truth).abs() / (truth.abs() + 1e-4)).max().item().toDouble();
    };
    const at::Tensor wide = x.to(at::kFloat);
    EXPECT_LE(error(activation(x, {bias}, kind), reference(wide + bias.to(at::kFloat), kind)), 0x1p-8 * 1.02);
    EXPECT_LE(error(gated_activation(x, kind), gated_reference(wide, kind)), 0x1p-8 * 1.02);
  }
}

TEST(Activation, ExtremesAndNan) {
  const float huge = 1e30F, nan = std::nanf("");
  const at::Tensor x = at::tensor({-huge, huge, nan, -100.F, 100.F}).view({1, 5});
  for (Activation kind : kKinds) {
    const at::Tensor y = activation(x, {}, kind).view({5});
    EXPECT_EQ(y[0].item().toFloat(), 0.0F) << static_cast<int>(kind);
    EXPECT_GE(y[1].item().toFloat(), huge);
    EXPECT_TRUE(std::isnan(y[2].item().toFloat()));
    EXPECT_EQ(y[3].item().toFloat(), 0.0F);
    EXPECT_GE(y[4].item().toFloat(), 100.0F);
  }
}

TEST(Activation, BiasGoesToMainGrad) {
  const ThreadCount one(1);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = leaf(random_tensor({1000, 33}, 1, type)), bias = leaf(random_tensor({33}, 2, type));
    const at::Tensor dy = random_tensor({1000, 33}, 3, type), main_grad = at::ones({33}, at::kFloat);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const Tensors none = gradients_of({activation(x, {bias, main_grad}, Activation::silu)}, {dy}, {bias});
      EXPECT_FALSE(none[0].defined());
    }
    const at::Tensor x64 = leaf(x.to(at::kDouble)), bias64 = leaf(bias.to(at::kDouble));
    const at::Tensor y64 = reference(x64 + bias64, Activation::silu);
    const Tensors truth = gradients_of({y64}, {dy.to(at::kDouble)}, {bias64});
    EXPECT_LT(max_error(main_grad, truth[0] * 2 + 1), 1e-5);
  }
}

TEST(Activation, BitEqualForAnyNumberOfThreads) {
  const at::Tensor x = leaf(random_tensor({500, 514}, 1, at::kFloat)), bias = leaf(random_tensor({514}, 2, at::kFloat));
  const at::Tensor dy = random_tensor({500, 514}, 3, at::kFloat), gated_dy = random_tensor({500, 257}, 4, at::kFloat);
  std::vector<Tensors> results;
  for (int threads : {1, 2, 3}) {
    with_threads(threads, [&] {
      Tensors result = gradients_of({activation(x, {bias}, Activation::gelu_erf)}, {dy}, {x, bias});
      result.push_back(gradients_of({gated_activation(x, Activation::silu)}, {gated_dy}, {x})[0]);
      results.push_back(result);
    });
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(bit_equal(results[0][i], results[1][i]));
    EXPECT_TRUE(bit_equal(results[0][i], results[2][i]));
  }
}

}  // namespace
}  // namespace longhaul::ops
