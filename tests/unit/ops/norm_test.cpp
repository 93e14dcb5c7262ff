#include "longhaul/ops/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

struct Case {
  bool layer_norm, zero_centered;
};
constexpr Case kCases[] = {{false, false}, {false, true}, {true, false}, {true, true}};

NormOptions options_of(const Case& c) {
  return {c.layer_norm, 1e-5, c.zero_centered};
}

// The textbook's norm out of ATen operators, in the type of x.
at::Tensor reference(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const NormOptions& o) {
  const at::Tensor centred = o.layer_norm ? x - x.mean(-1, true) : x;
  at::Tensor y = centred * (centred.square().mean(-1, true) + o.eps).rsqrt();
  y = y * (o.zero_centered ? weight + 1 : weight);
  return bias.defined() ? y + bias : y;
}

at::Tensor bias_of(const Case& c, int64_t hidden, uint64_t seed, at::ScalarType type) {
  return c.layer_norm ? random_tensor({hidden}, seed, type) : at::Tensor();
}

TEST(Norm, PublishedVectors) {
  const at::Tensor x = at::tensor({1.F, 2.F, 3.F, 4.F}).view({1, 4});
  const Weight weight{at::tensor({1.F, .5F, 2.F, -1.F})}, bias{at::tensor({.1F, 0.F, 0.F, -.1F})};
  const auto expect = [&](const NormOptions& options, const Weight& b, const std::vector<float>& truth) {
    EXPECT_LT(max_error(norm(x, weight, b, options).view({4}), at::tensor(truth)), 3e-7);
  };
  expect({false, 1e-5, false}, {}, {0.365148128F, 0.365148128F, 2.190888769F, -1.460592513F});
  expect({true, 1e-5, false}, bias, {-1.241635420F, -0.223605903F, 0.894423613F, -1.441635420F});
  expect({true, 1e-5, true}, bias, {-2.583270840F, -0.670817710F, 1.341635420F, -0.100000000F});
}

TEST(Norm, ForwardAndBackwardEqualATen) {
  const ThreadCount one(1);
  for (const Case& c : kCases) {
    for (int64_t hidden : {1, 3, 17, 512, 513, 4096}) {
      for (int64_t tokens : {0, 1, 5, 100}) {
        SCOPED_TRACE(testing::Message() << c.layer_norm << c.zero_centered << " " << tokens << "x" << hidden);
        const NormOptions options = options_of(c);
        const at::Tensor x = leaf(random_tensor({tokens, hidden}, 1, at::kFloat) * 2 + 0.5);
        const at::Tensor weight = leaf(random_tensor({hidden}, 2, at::kFloat));
        const at::Tensor bias = bias_of(c, hidden, 3, at::kFloat);
        const at::Tensor dy = random_tensor({tokens, hidden}, 4, at::kFloat);
        const at::Tensor y = norm(x, {weight}, {bias}, options);
        const at::Tensor x64 = leaf(x.to(at::kDouble)), weight64 = leaf(weight.to(at::kDouble));
        const at::Tensor bias64 = bias.defined() ? bias.to(at::kDouble) : bias;
        const at::Tensor y64 = reference(x64, weight64, bias64, options);
        EXPECT_LT(max_error(y, y64), 2e-6);
        // LayerNorm over one number has no derivative but rounding errors times 1 / sqrt(eps).
        if (hidden == 1) continue;
        const Tensors got = gradients_of({y}, {dy}, {x, weight});
        const Tensors truth = gradients_of({y64}, {dy.to(at::kDouble)}, {x64, weight64});
        EXPECT_LT(max_error(got[0], truth[0]), 5e-6);
        EXPECT_LT(max_error(got[1], truth[1]), 5e-6);
      }
    }
  }
}

TEST(Norm, Gradcheck) {
  for (const Case& c : kCases) {
    const NormOptions options = options_of(c);
    Tensors inputs = {leaf(random_tensor({5, 7}, 1)), leaf(random_tensor({7}, 2))};
    if (c.layer_norm) inputs.push_back(leaf(random_tensor({7}, 3)));
    check_gradients(
        [&](const Tensors& in) -> Tensors {
          return {norm(in[0], {in[1]}, in.size() > 2 ? Weight{in[2]} : Weight{}, options)};
        },
        inputs);
  }
}

TEST(ResidualNorm, GradcheckWithEitherOutputAlone) {
  // Weights get no gradient from the sum alone, so they are constants here; Norm.Gradcheck covers them.
  for (const Case& c : kCases) {
    const Weight weight{random_tensor({7}, 2)}, bias{bias_of(c, 7, 3, at::kDouble)};
    check_gradients(
        [&](const Tensors& in) -> Tensors {
          const auto [sum, y] = residual_norm(in[0], in[1], weight, bias, options_of(c));
          return {sum, y};
        },
        {leaf(random_tensor({5, 7}, 1)), leaf(random_tensor({5, 7}, 4))});
  }
}

TEST(ResidualNorm, EqualsTheTwoOperatorsApart) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Case& c : kCases) {
      const at::Tensor x = leaf(random_tensor({33, 65}, 1, type)), residual = leaf(random_tensor({33, 65}, 2, type));
      const at::Tensor weight = leaf(random_tensor({65}, 3, type)), bias = bias_of(c, 65, 4, type);
      const at::Tensor dsum = random_tensor({33, 65}, 5, type), dy = random_tensor({33, 65}, 6, type);
      const auto [sum, y] = residual_norm(x, residual, {weight}, {bias}, options_of(c));
      const Tensors got = gradients_of({sum, y}, {dsum, dy}, {x, residual, weight});
      const at::Tensor sum2 = x + residual, y2 = norm(sum2, {weight}, {bias}, options_of(c));
      const Tensors truth = gradients_of({sum2, y2}, {dsum, dy}, {x, residual, weight});
      EXPECT_TRUE(bit_equal(sum, sum2));
      EXPECT_TRUE(bit_equal(y, y2));
      EXPECT_TRUE(bit_equal(got[2], truth[2]));
      const double tolerance = type == at::kFloat ? 1e-6 : 0x1p-7;  // fused: one rounding less
      EXPECT_LT(max_error(got[0], truth[0]), tolerance);
      EXPECT_TRUE(bit_equal(got[0], got[1]));
    }
  }
}

TEST(Norm, Bfloat16RoundsOnce) {
  for (const Case& c : kCases) {
    const at::Tensor x = random_tensor({40, 512}, 1, at::kBFloat16), weight = random_tensor({512}, 2, at::kBFloat16);
    const at::Tensor bias = bias_of(c, 512, 3, at::kBFloat16);
    const at::Tensor truth =
        reference(x.to(at::kFloat), weight.to(at::kFloat), bias.defined() ? bias.to(at::kFloat) : bias, options_of(c));
    const at::Tensor y = norm(x, {weight}, {bias}, options_of(c));
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    EXPECT_LE(((y.to(at::kFloat) - truth).abs() / (truth.abs() + 1e-3)).max().item().toDouble(), 0x1p-8 * 1.01);
  }
}

TEST(Norm, MainGradGetsTheSumAndAutogradNone) {
  const ThreadCount one(1);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const NormOptions options = options_of({true, false});
    const at::Tensor x = leaf(random_tensor({1000, 17}, 1, type));
    const at::Tensor weight = leaf(random_tensor({17}, 2, type)), bias = leaf(random_tensor({17}, 3, type));
    const at::Tensor dy = random_tensor({1000, 17}, 4, type);
    const at::Tensor weight_grad = at::ones({17}, at::kFloat), bias_grad = at::ones({17}, at::kFloat);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const Tensors none =
          gradients_of({norm(x, {weight, weight_grad}, {bias, bias_grad}, options)}, {dy}, {weight, bias});
      EXPECT_FALSE(none[0].defined());
      EXPECT_FALSE(none[1].defined());
    }
    const Tensors once = gradients_of({norm(x, {weight}, {bias}, options)}, {dy}, {weight, bias});
    const double tolerance = type == at::kFloat ? 1e-6 : 0x1p-8;  // autograd's copy is rounded to the weight's type
    EXPECT_LT(max_error(weight_grad, once[0].to(at::kFloat) * 2 + 1), tolerance);
    EXPECT_LT(max_error(bias_grad, once[1].to(at::kFloat) * 2 + 1), tolerance);
    const at::Tensor exact = dy.to(at::kDouble).sum(0) * 2 + 1;
    EXPECT_LT(max_error(bias_grad, exact), 1e-5);
  }
}

TEST(Norm, BitEqualForAnyNumberOfThreads) {
  const at::Tensor x = leaf(random_tensor({777, 513}, 1, at::kFloat)),
                   weight = leaf(random_tensor({513}, 2, at::kFloat));
  const at::Tensor dy = random_tensor({777, 513}, 3, at::kFloat);
  std::vector<Tensors> results;
  for (int threads : {1, 2, 3}) {
    with_threads(threads, [&] {
      const at::Tensor y = norm(x, {weight}, {}, {});
      Tensors result = gradients_of({y}, {dy}, {x, weight});
      result.push_back(y);
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
