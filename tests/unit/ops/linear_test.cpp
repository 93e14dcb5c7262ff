#include "longhaul/ops/linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "unit/ops/finite_difference.h"

namespace longhaul::ops {
namespace {

using test::finite_difference;
using test::relative_error;
using test::rms_error;

struct Shape {
  int64_t tokens, in, out;
};

class Linear : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override { at::manual_seed(7); }
  Shape s = GetParam();
  at::Tensor x = at::randn({s.tokens, s.in}, at::kDouble);
  at::Tensor w = at::randn({s.out, s.in}, at::kDouble);
  at::Tensor b = at::randn({s.out}, at::kDouble);
  at::Tensor dy = at::randn({s.tokens, s.out}, at::kDouble);

  // Rounded to `type` first, so that what is compared is the arithmetic alone.
  void check(at::ScalarType type, double tolerance, bool bf16) {
    const auto error = [&](const at::Tensor& a, const at::Tensor& e) {
      return bf16 ? rms_error(a, e) : relative_error(a, e);
    };
    const auto round = [&](const at::Tensor& t) { return t.to(type); };
    const auto exact = [&](const at::Tensor& t) { return t.to(type).to(at::kDouble); };
    const auto x_ = round(x).requires_grad_(), w_ = round(w).requires_grad_(), b_ = round(b).requires_grad_();
    const at::Tensor y = linear(x_, {w_, {}}, {b_, {}});
    EXPECT_EQ(y.scalar_type(), type);
    EXPECT_LT(error(y, at::matmul(exact(x), exact(w).t()) + exact(b)), tolerance);
    y.backward(round(dy));
    EXPECT_LT(error(x_.grad(), at::matmul(exact(dy), exact(w))), tolerance);
    EXPECT_LT(error(w_.grad(), at::matmul(exact(dy).t(), exact(x))), tolerance);
    EXPECT_LT(error(b_.grad(), exact(dy).sum(0)), tolerance);
  }
};

TEST_P(Linear, fp32) {
  check(at::kFloat, 2e-6, false);
}
TEST_P(Linear, fp64) {
  check(at::kDouble, 1e-13, false);
}
TEST_P(Linear, bf16) {
  check(at::kBFloat16, 3e-3, true);
}

TEST_P(Linear, main_grad_accumulates_unrounded_and_hides_the_gradient_from_autograd) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto x_ = x.to(type).requires_grad_(), w_ = w.to(type).requires_grad_(), b_ = b.to(type).requires_grad_();
    const at::Tensor w_grad = at::full({s.out, s.in}, 0.5, at::kFloat), b_grad = at::full({s.out}, 0.5, at::kFloat);
    const at::Tensor d = dy.to(type);
    for (int i = 0; i < 2; ++i) linear(x_, {w_, w_grad}, {b_, b_grad}).backward(d);
    EXPECT_FALSE(w_.grad().defined());
    EXPECT_FALSE(b_.grad().defined());
    const at::Tensor exact = at::matmul(d.to(at::kDouble).t(), x.to(type).to(at::kDouble));
    EXPECT_LT(relative_error(w_grad, 0.5 + 2 * exact), 3e-6);
    EXPECT_LT(relative_error(b_grad, 0.5 + 2 * d.to(at::kDouble).sum(0)), 3e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Linear,
                         testing::Values(Shape{1, 1, 1}, Shape{1, 64, 96}, Shape{3, 7, 5}, Shape{15, 33, 31},
                                         Shape{64, 64, 64}, Shape{130, 257, 99}, Shape{301, 1030, 45},
                                         Shape{29, 18, 1200}));

TEST(LinearGradient, finite_differences_in_double) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({4, 3}, at::kDouble), w = at::randn({5, 3}, at::kDouble);
  const at::Tensor b = at::randn({5}, at::kDouble), direction = at::randn({4, 5}, at::kDouble);
  const auto loss = [&] { return (linear(x, {w, {}}, {b, {}}) * direction).sum().item<double>(); };
  const at::Tensor dx = finite_difference(x, loss), dw = finite_difference(w, loss), db = finite_difference(b, loss);
  for (const at::Tensor& t : {x, w, b}) t.requires_grad_();
  (linear(x, {w, {}}, {b, {}}) * direction).sum().backward();
  EXPECT_LT(relative_error(x.grad(), dx), 1e-8);
  EXPECT_LT(relative_error(w.grad(), dw), 1e-8);
  EXPECT_LT(relative_error(b.grad(), db), 1e-8);
}

TEST(LinearGradient, frozen_inputs_get_none) {
  const at::Tensor x = at::randn({4, 3}), w = at::randn({5, 3}).requires_grad_();
  linear(x, {w, {}}).sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(w.grad().defined());
}

TEST(LinearGradient, zero_tokens) {
  const at::Tensor x = at::randn({0, 3}).requires_grad_(), w = at::randn({5, 3}).requires_grad_();
  const at::Tensor y = linear(x, {w, {}});
  EXPECT_EQ(y.size(0), 0);
  y.sum().backward();
  EXPECT_EQ(w.grad().abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace longhaul::ops
