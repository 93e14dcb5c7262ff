#include "longhaul/ops/linear_gelu.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "longhaul/ops/activation.h"
#include "ops/weight_gradient_queue.h"
#include "unit/ops/finite_difference.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

using test::rms_error;

struct Shape {
  int64_t tokens, in, f, out;
};

// x, both weights and both biases; without biases those are undefined.
struct Inputs {
  at::Tensor x, w1, b1, w2, b2;

  Inputs(const Shape& s, bool with_biases, at::ScalarType type)
      : x(random_tensor({s.tokens, s.in}, 1, type)),
        w1(random_tensor({s.f, s.in}, 2, type) / std::sqrt(static_cast<double>(s.in))),
        w2(random_tensor({s.out, s.f}, 4, type) / std::sqrt(static_cast<double>(s.f))) {
    if (with_biases) b1 = random_tensor({s.f}, 3, type), b2 = random_tensor({s.out}, 5, type);
  }
  // Copies of their own in autograd, in `type`.
  Inputs leaves(at::ScalarType type) const {
    Inputs copy = *this;
    for (at::Tensor* t : {&copy.x, &copy.w1, &copy.b1, &copy.w2, &copy.b2}) {
      if (t->defined()) *t = leaf(t->to(type));
    }
    return copy;
  }
  Tensors all() const {
    Tensors tensors;
    for (const at::Tensor& t : {x, w1, b1, w2, b2}) {
      if (t.defined()) tensors.push_back(t);
    }
    return tensors;
  }
};

at::Tensor ours(const Inputs& in, GeluInput input = GeluInput::fastest) {
  return gelu_linear(linear_gelu(in.x, {in.w1}, {in.b1}, input), {in.w2}, {in.b2});
}

// The definition, by LibTorch.
at::Tensor reference(const Inputs& in) {
  return at::linear(at::gelu(at::linear(in.x, in.w1, in.b1), "tanh"), in.w2, in.b2);
}

class LinearGelu : public testing::TestWithParam<Shape> {
 protected:
  Shape s = GetParam();
  at::Tensor dy = random_tensor({s.tokens, s.out}, 6);
};

TEST_P(LinearGelu, EqualsLibTorchsInFp64) {
  for (const bool with_biases : {true, false}) {
    for (const auto& [type, tolerance] : {std::pair(at::kDouble, 1e-12), std::pair(at::kFloat, 2e-5)}) {
      for (const GeluInput input : {GeluInput::fastest, GeluInput::rounded}) {
        SCOPED_TRACE(testing::Message() << with_biases << " " << c10::toString(type));
        const Inputs given(s, with_biases, type), in = given.leaves(type), exact = given.leaves(at::kDouble);
        const at::Tensor y = ours(in, input), truth = reference(exact), d = dy.to(type);
        EXPECT_LT(max_error(y, truth), tolerance);
        const Tensors got = gradients_of({y}, {d}, in.all()),
                      expected = gradients_of({truth}, {d.to(at::kDouble)}, exact.all());
        for (size_t i = 0; i < got.size(); ++i)
          EXPECT_LT(max_error(got[i], expected[i]), tolerance) << "gradient " << i;
      }
    }
  }
}

TEST_P(LinearGelu, Bf16) {
  if (s.tokens == 0) return;
  const Inputs given(s, true, at::kBFloat16), in = given.leaves(at::kBFloat16), exact = given.leaves(at::kDouble);
  const at::Tensor y = ours(in), truth = reference(exact), d = dy.to(at::kBFloat16);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_LT(rms_error(y, truth), 1e-2);
  const Tensors got = gradients_of({y}, {d}, in.all()),
                expected = gradients_of({truth}, {d.to(at::kDouble)}, exact.all());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_LT(rms_error(got[i], expected[i]), 1e-2) << "gradient " << i;
}

// Whichever way the product has GELU, what is kept is the input rounded once, and on the CPU that is what GELU takes.
TEST_P(LinearGelu, KeepsThePairThatAnActivationMakes) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const Inputs given(s, true, type);
    for (const GeluInput input : {GeluInput::fastest, GeluInput::rounded}) {
      const GeluPair pair = linear_gelu(given.x, {given.w1}, {given.b1}, input);
      EXPECT_TRUE(bit_equal(pair.activated, activation(pair.pre, {}, Activation::gelu_tanh)));
    }
  }
}

TEST_P(LinearGelu, MainGradsAddUpAndHideTheGradientsFromAutograd) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const Inputs given(s, true, type), in = given.leaves(type), apart = given.leaves(type);
    Tensors sums, parameters = {in.w1, in.b1, in.w2, in.b2};
    for (const at::Tensor& p : parameters) sums.push_back(at::full(p.sizes(), 0.5, at::kFloat));
    const at::Tensor d = dy.to(type);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const GeluPair pair = linear_gelu(in.x, {in.w1, sums[0]}, {in.b1, sums[1]}, GeluInput::fastest);
      const at::Tensor y = gelu_linear(pair, {in.w2, sums[2]}, {in.b2, sums[3]});
      for (const at::Tensor& none : gradients_of({y}, {d}, parameters)) EXPECT_FALSE(none.defined());
    }
    // Once more by autograd, whose gradients are rounded to `type`.
    const Tensors gradients = gradients_of({ours(apart)}, {d}, {apart.w1, apart.b1, apart.w2, apart.b2});
    for (size_t i = 0; i < sums.size(); ++i) {
      const double tolerance = type == at::kFloat ? 1e-6 : 0x1p-8;
      EXPECT_LT(max_error(sums[i], gradients[i].to(at::kDouble) * 2 + 0.5), tolerance) << "parameter " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearGelu,
                         testing::Values(Shape{0, 3, 5, 2}, Shape{1, 1, 1, 1}, Shape{3, 7, 5, 9},
                                         Shape{64, 32, 128, 32}, Shape{33, 17, 70, 31}));

TEST(LinearGeluGradients, Gradcheck) {
  check_gradients(
      [](const Tensors& in) -> Tensors {
        return {gelu_linear(linear_gelu(in[0], {in[1]}, {in[2]}, GeluInput::fastest), {in[3]}, {in[4]})};
      },
      {leaf(random_tensor({3, 4}, 1)), leaf(random_tensor({5, 4}, 2)), leaf(random_tensor({5}, 3)),
       leaf(random_tensor({2, 5}, 4)), leaf(random_tensor({2}, 5))});
}

TEST(LinearGeluGradients, FrozenTensorsGetNone) {
  const Inputs in({6, 4, 8, 3}, true, at::kFloat);
  const at::Tensor w1 = leaf(in.w1), w2 = leaf(in.w2);
  gelu_linear(linear_gelu(in.x, {in.w1}, {in.b1}, GeluInput::fastest), {w2}, {in.b2}).sum().backward();
  EXPECT_TRUE(w2.grad().defined());
  gelu_linear(linear_gelu(in.x, {w1}, {in.b1}, GeluInput::fastest), {in.w2}, {in.b2}).sum().backward();
  EXPECT_TRUE(w1.grad().defined());
  for (const at::Tensor& t : in.all()) EXPECT_FALSE(t.grad().defined());
}

// One bias, and no gradient but its.
TEST(LinearGeluGradients, EachBiasAlone) {
  for (const bool first : {true, false}) {
    for (const bool others_frozen : {true, false}) {
      SCOPED_TRACE(testing::Message() << first << others_frozen);
      Inputs in({6, 4, 8, 3}, true, at::kDouble);
      (first ? in.b2 : in.b1) = at::Tensor();
      if (!others_frozen) in = in.leaves(at::kDouble);
      at::Tensor& bias = first ? in.b1 : in.b2;
      bias = leaf(bias);
      const at::Tensor dy = random_tensor({6, 3}, 6);
      const Tensors got = gradients_of({ours(in)}, {dy}, {bias}), truth = gradients_of({reference(in)}, {dy}, {bias});
      EXPECT_LT(max_error(got[0], truth[0]), 1e-12);
    }
  }
}

// The gradients of both weights wait; that of the input does not.
TEST(LinearGeluGradients, WeightsWaitInTheQueue) {
  const Inputs in({9, 8, 16, 6}, true, at::kFloat);
  const at::Tensor dy = random_tensor({9, 6}, 6, at::kFloat);
  const auto run = [&](WeightGradientQueue* queue, const Tensors& sums) {
    const WeightGradientQueue::Scope scope(queue);
    const at::Tensor x = leaf(in.x);
    gelu_linear(linear_gelu(x, {in.w1, sums[0]}, {in.b1}, GeluInput::fastest), {in.w2, sums[1]}, {in.b2}).backward(dy);
    return x.grad();
  };
  const Tensors at_once = {at::zeros_like(in.w1), at::zeros_like(in.w2)},
                later = {at::zeros_like(in.w1), at::zeros_like(in.w2)};
  WeightGradientQueue queue;
  EXPECT_TRUE(bit_equal(run(nullptr, at_once), run(&queue, later)));
  for (const at::Tensor& sum : later) EXPECT_EQ(sum.abs().max().item<float>(), 0);
  queue.run();
  for (size_t i = 0; i < later.size(); ++i) {
    EXPECT_GT(at_once[i].abs().max().item<float>(), 0);
    EXPECT_TRUE(bit_equal(at_once[i], later[i]));
  }
}

TEST(LinearGeluGradients, BitEqualForAnyNumberOfThreads) {
  const Inputs in({300, 40, 130, 50}, true, at::kFloat);
  const at::Tensor dy = random_tensor({300, 50}, 6, at::kFloat);
  std::vector<Tensors> results;
  for (const int threads : {1, 3}) {
    with_threads(threads, [&] {
      const Inputs leaves = in.leaves(at::kFloat);
      results.push_back(gradients_of({ours(leaves)}, {dy}, leaves.all()));
    });
  }
  for (size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(bit_equal(results[0][i], results[1][i])) << i;
}

}  // namespace
}  // namespace longhaul::ops
