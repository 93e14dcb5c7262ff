#include "longhaul/ops/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

struct State {
  at::Tensor master, moment1, moment2;
};

State state_of(int64_t count) {
  return {random_tensor({count}, 1, at::kFloat), at::zeros({count}, at::kFloat), at::zeros({count}, at::kFloat)};
}

// torch.optim.AdamW's single-tensor step, operator by operator.
void reference_step(State& s, const at::Tensor& grad, const AdamWOptions& o) {
  const double correction1 = 1 - std::pow(o.beta1, o.step), correction2 = 1 - std::pow(o.beta2, o.step);
  s.master.mul_(1 - o.lr * o.weight_decay);
  s.moment1.lerp_(grad, 1 - o.beta1);
  s.moment2.mul_(o.beta2).addcmul_(grad, grad, 1 - o.beta2);
  const at::Tensor denominator = (s.moment2.sqrt() / std::sqrt(correction2)).add_(o.eps);
  s.master.addcdiv_(s.moment1, denominator, -(o.lr / correction1));
}

double norm_of(const at::Tensor& x) {
  const at::Tensor sum = at::zeros({1}, at::kDouble);
  add_squared_norm(x, sum);
  return sum.item<double>();
}

TEST(AdamW, EqualsTheReferenceOverSteps) {
  const ThreadCount one(1);
  for (int64_t count : {1, 3, 17, 513, 100003}) {
    State ours = state_of(count), theirs = state_of(count);
    const at::Tensor model = at::empty({count}, at::kBFloat16), grad = at::empty({count}, at::kFloat);
    AdamWOptions options;
    options.lr = 3e-3;
    for (options.step = 1; options.step <= 6; ++options.step) {
      const at::Tensor gradient = random_tensor({count}, 100 + options.step, at::kFloat);
      grad.copy_(gradient);
      adamw_step(ours.master, ours.moment1, ours.moment2, grad, model, options, true);
      reference_step(theirs, gradient, options);
      EXPECT_LT(max_error(ours.master, theirs.master), 2e-7 * options.step) << count << " " << options.step;
      EXPECT_LT(max_error(ours.moment1, theirs.moment1), 2e-7);
      EXPECT_LT(max_error(ours.moment2, theirs.moment2), 2e-7);
      EXPECT_TRUE(bit_equal(model, ours.master.to(at::kBFloat16)));
      EXPECT_EQ(grad.abs().sum().item().toDouble(), 0);
    }
  }
}

TEST(AdamW, ChangesNothingWhereTheScaleIsNotFinite) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const at::Tensor master = random_tensor({100}, 1, type), moment1 = at::zeros_like(master),
                     moment2 = at::zeros_like(master);
    const at::Tensor grad = at::full({100}, std::numeric_limits<double>::infinity(), master.options()),
                     before = master.clone();
    const at::Tensor square = at::zeros({1}, at::kDouble);
    add_squared_norm(grad, square);
    AdamWOptions options;
    options.grad_scale = clipping_scale(square, 1.0);
    adamw_step(master, moment1, moment2, grad, {}, options, true);
    EXPECT_TRUE(bit_equal(master, before));
    EXPECT_EQ(moment2.abs().sum().item().toDouble(), 0);
    EXPECT_FALSE(grad.isfinite().any().item().toBool());
  }
}

TEST(ClippingScale, IsThatOfTheNorm) {
  const auto scale = [](double square, double limit) {
    return clipping_scale(at::full({1}, square, at::kDouble), limit).item<double>();
  };
  EXPECT_EQ(scale(16, 1), 1 / (4 + 1e-6));
  EXPECT_EQ(scale(0.25, 1), 1);
  EXPECT_EQ(scale(0, 1), 1);
  EXPECT_EQ(scale(1e6, 0), 1);
  EXPECT_TRUE(std::isnan(scale(std::numeric_limits<double>::infinity(), 0)));
  EXPECT_TRUE(std::isnan(scale(std::numeric_limits<double>::quiet_NaN(), 1)));
}

TEST(AdamW, ScalesTheGradientAndLeavesItWhenTold) {
  State ours = state_of(1000), theirs = state_of(1000);
  const at::Tensor gradient = random_tensor({1000}, 5, at::kFloat), grad = gradient.clone();
  AdamWOptions options;
  options.grad_scale = at::full({1}, 0.25, at::kDouble);
  adamw_step(ours.master, ours.moment1, ours.moment2, grad, {}, options, false);
  reference_step(theirs, gradient * 0.25, options);
  EXPECT_LT(max_error(ours.master, theirs.master), 2e-7);
  EXPECT_LT(max_error(ours.moment2, theirs.moment2), 2e-7);
  EXPECT_TRUE(bit_equal(grad, gradient));
}

TEST(AdamW, TheMasterMayBeTheModel) {
  State a = state_of(100), b = state_of(100);
  const at::Tensor grad = random_tensor({100}, 5, at::kFloat);
  adamw_step(a.master, a.moment1, a.moment2, grad, a.master, {}, false);
  adamw_step(b.master, b.moment1, b.moment2, grad, {}, {}, false);
  EXPECT_TRUE(bit_equal(a.master, b.master));
}

TEST(AdamW, BitEqualForAnyNumberOfThreads) {
  std::vector<State> states;
  std::vector<double> norms;
  for (int threads : {1, 2, 3}) {
    with_threads(threads, [&] {
      State s = state_of(200003);
      const at::Tensor grad = random_tensor({200003}, 5, at::kFloat);
      norms.push_back(norm_of(grad));
      adamw_step(s.master, s.moment1, s.moment2, grad, {}, {}, true);
      states.push_back(s);
    });
  }
  for (size_t i : {1, 2}) {
    EXPECT_TRUE(bit_equal(states[0].master, states[i].master));
    EXPECT_EQ(norms[0], norms[i]);
  }
}

TEST(SquaredNorm, IsDoublePrecision) {
  for (int64_t count : {0, 1, 3, 17, 65536, 65537, 300001}) {
    const at::Tensor x = random_tensor({count}, 1, at::kFloat);
    const double truth = x.to(at::kDouble).square().sum().item().toDouble();
    EXPECT_NEAR(norm_of(x), truth, 1e-12 * truth) << count;
  }
  // 2^24 + 1 ones, which an FP32 sum cannot count.
  EXPECT_EQ(norm_of(at::full({(1 << 24) + 1}, 1.0F, at::kFloat)), 0x1p24 + 1);
  EXPECT_NEAR(norm_of(at::full({8}, 1e30F, at::kFloat)), 8e60, 8e53);  // its square overflows FP32
}

}  // namespace
}  // namespace longhaul::ops
