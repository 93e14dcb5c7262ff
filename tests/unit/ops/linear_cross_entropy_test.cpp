#include "longhaul/ops/linear_cross_entropy.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "unit/ops/finite_difference.h"

namespace longhaul::ops {
namespace {

using test::finite_difference;
using test::relative_error;
using test::rms_error;

struct Inputs {
  at::Tensor hidden, weight, labels, weights;
};

Inputs make(int64_t tokens, int64_t hidden, int64_t rows, int64_t vocab, at::ScalarType type) {
  at::manual_seed(11);
  Inputs in{at::randn({tokens, hidden}, at::kDouble).to(type), at::randn({rows, hidden}, at::kDouble).to(type),
            at::randint(vocab, {tokens}, at::kLong), at::rand({tokens}) + 0.1};
  for (int64_t i = 2; i < tokens; i += 3) in.weights[i] = 0;
  return in;
}

// The same by plain ATen in double.
struct Truth {
  at::Tensor loss, token_losses, dhidden, dweight;
};

Truth truth(const Inputs& in, const CrossEntropyOptions& options) {
  const int64_t vocab = options.vocab_size > 0 ? options.vocab_size : in.weight.size(0);
  const at::Tensor hidden = in.hidden.detach().to(at::kDouble).requires_grad_();
  const at::Tensor weight = in.weight.detach().to(at::kDouble).requires_grad_();
  at::Tensor logits = at::matmul(hidden, weight.narrow(0, 0, vocab).t());
  if (options.bf16_logits) logits = logits + (logits.to(at::kBFloat16) - logits).detach();
  if (options.logit_softcap > 0) logits = at::tanh(logits / options.logit_softcap) * options.logit_softcap;
  const at::Tensor lse = at::logsumexp(logits, 1);
  const at::Tensor labels = at::where(in.weights == 0, at::zeros_like(in.labels), in.labels);
  const at::Tensor ce = lse - logits.gather(1, labels.unsqueeze(1)).squeeze(1);
  const at::Tensor w = in.weights.to(at::kDouble);
  const at::Tensor loss = (w * (ce + options.z_loss * lse * lse)).sum();
  loss.backward();
  return {loss.detach(), at::where(w == 0, at::zeros_like(w), ce).detach(), hidden.grad(), weight.grad()};
}

struct Case {
  int64_t tokens, hidden, rows;
  CrossEntropyOptions options;
};

class LinearCrossEntropy : public testing::TestWithParam<Case> {
 protected:
  void check(at::ScalarType type, double loss_tolerance, double gradient_tolerance) {
    const Case& c = GetParam();
    const int64_t vocab = c.options.vocab_size > 0 ? c.options.vocab_size : c.rows;
    for (const bool unit : {false, true}) {
      for (const bool main : {false, true}) {
        Inputs in = make(c.tokens, c.hidden, c.rows, vocab, type);
        in.hidden.requires_grad_();
        in.weight.requires_grad_();
        for (int64_t i = 2; i < c.tokens; i += 6) in.labels[i] = -100;  // of weight 0: not looked at
        CrossEntropyOptions options = c.options;
        options.unit_gradient = unit;
        const at::Tensor main_grad =
            main ? at::full({c.rows, c.hidden}, 0.25, type == at::kDouble ? at::kDouble : at::kFloat) : at::Tensor();
        const auto result = linear_cross_entropy(in.hidden, {in.weight, main_grad}, in.labels, in.weights, options);
        const double factor = unit ? 1 : 1.5;
        (unit ? result.loss : result.loss * factor).backward();
        const Truth expected = truth(in, c.options);
        EXPECT_FALSE(result.token_losses.requires_grad());
        EXPECT_LT(relative_error(result.loss, expected.loss), loss_tolerance);
        EXPECT_LT(relative_error(result.token_losses, expected.token_losses), loss_tolerance);
        EXPECT_LT(rms_error(in.hidden.grad(), expected.dhidden * factor), gradient_tolerance);
        EXPECT_EQ(in.weight.grad().defined(), !main);
        const at::Tensor dweight = main ? main_grad - 0.25 : in.weight.grad();
        EXPECT_LT(rms_error(dweight, expected.dweight * factor), gradient_tolerance);
      }
    }
  }
};

TEST_P(LinearCrossEntropy, fp64) {
  check(at::kDouble, 1e-12, 1e-12);
}
TEST_P(LinearCrossEntropy, fp32) {
  check(at::kFloat, 3e-6, 1e-5);
}
TEST_P(LinearCrossEntropy, bf16) {
  check(at::kBFloat16, 1e-5, 6e-3);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, LinearCrossEntropy,
    testing::Values(Case{1, 8, 5, {}}, Case{2, 16, 40, {}}, Case{37, 24, 131, {.chunk_tokens = 10}},
                    Case{64, 32, 96, {.vocab_size = 90}}, Case{33, 16, 77, {.vocab_size = 70, .z_loss = 1e-2}},
                    Case{33, 16, 77, {.logit_softcap = 5}},
                    Case{50, 16, 300, {.vocab_size = 299, .z_loss = 1e-3, .logit_softcap = 3, .chunk_tokens = 7}}));

TEST(LinearCrossEntropyGradient, finite_differences_in_double) {
  Inputs in = make(5, 3, 7, 6, at::kDouble);
  const CrossEntropyOptions options{.vocab_size = 6, .z_loss = 0.01, .logit_softcap = 4, .chunk_tokens = 2};
  const auto loss = [&] {
    return linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, options).loss.item<double>();
  };
  const at::Tensor dhidden = finite_difference(in.hidden, loss), dweight = finite_difference(in.weight, loss);
  in.hidden.requires_grad_();
  in.weight.requires_grad_();
  linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, options).loss.backward();
  EXPECT_LT(relative_error(in.hidden.grad(), dhidden), 1e-7);
  EXPECT_LT(relative_error(in.weight.grad(), dweight), 1e-7);
}

TEST(LinearCrossEntropyRounding, logits_are_rounded_where_wanted) {
  Inputs in = make(64, 32, 96, 90, at::kBFloat16);
  in.hidden.requires_grad_();
  const CrossEntropyOptions options{.vocab_size = 90, .bf16_logits = true, .chunk_tokens = 25};
  const auto result = linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, options);
  result.loss.backward();
  const Truth rounded = truth(in, options), exact = truth(in, {.vocab_size = 90});
  EXPECT_LT(rms_error(result.token_losses, rounded.token_losses), 1e-5);
  EXPECT_LT(rms_error(in.hidden.grad(), rounded.dhidden), 6e-3);
  EXPECT_GT(rms_error(exact.token_losses, rounded.token_losses), 1e-4);  // it makes a difference
  // FP32 has nothing to round.
  Inputs wide = make(64, 32, 96, 90, at::kFloat);
  const auto plain = linear_cross_entropy(wide.hidden, {wide.weight, {}}, wide.labels, wide.weights, options);
  EXPECT_LT(relative_error(plain.loss, truth(wide, {.vocab_size = 90}).loss), 3e-6);
}

TEST(LinearCrossEntropyEdges, all_weights_zero_give_zero) {
  Inputs in = make(6, 8, 10, 10, at::kFloat);
  in.weights.zero_();
  in.labels.fill_(-1);
  in.hidden.requires_grad_();
  in.weight.requires_grad_();
  const auto result = linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, {});
  EXPECT_EQ(result.loss.item<float>(), 0);
  result.loss.backward();
  EXPECT_EQ(in.hidden.grad().abs().max().item<float>(), 0);
  EXPECT_EQ(in.weight.grad().abs().max().item<float>(), 0);
}

TEST(LinearCrossEntropyEdges, a_wrong_label_is_named) {
  Inputs in = make(6, 8, 10, 10, at::kFloat);
  in.labels[4] = 10;
  try {
    linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, {});
    FAIL();
  } catch (const UserError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("token 4"), std::string::npos) << text;
    EXPECT_NE(text.find("is 10,"), std::string::npos) << text;
  }
}

TEST(LinearCrossEntropyEdges, unit_gradient_is_checked) {
  Inputs in = make(6, 8, 10, 10, at::kFloat);
  in.hidden.requires_grad_();
  const auto result = linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, {.unit_gradient = true});
  EXPECT_THROW((result.loss * 2).backward(), std::exception);
}

TEST(LinearCrossEntropyEdges, large_logits_stay_finite) {
  Inputs in = make(6, 8, 50, 50, at::kFloat);
  in.hidden = (in.hidden * 1e3).requires_grad_();
  const auto result = linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, {});
  result.loss.backward();
  EXPECT_LT(relative_error(result.loss, truth(in, {}).loss), 1e-5);
  EXPECT_TRUE(in.hidden.grad().isfinite().all().item<bool>());
}

TEST(LinearCrossEntropyEdges, evaluation_needs_no_gradient) {
  const Inputs in = make(20, 8, 50, 50, at::kFloat);
  const auto result = linear_cross_entropy(in.hidden, {in.weight, {}}, in.labels, in.weights, {});
  EXPECT_FALSE(result.loss.requires_grad());
  EXPECT_LT(relative_error(result.loss, truth(in, {}).loss), 1e-6);
}

TEST(LinearCrossEntropyEdges, one_and_two_threads_agree_to_the_bit) {
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> seen;
  for (const int n : {1, 2}) {
    at::set_num_threads(n);
    Inputs in = make(200, 64, 700, 700, at::kBFloat16);
    in.hidden.requires_grad_();
    const at::Tensor main_grad = at::zeros({700, 64}, at::kFloat);
    const auto result = linear_cross_entropy(in.hidden, {in.weight, main_grad}, in.labels, in.weights, {});
    result.loss.backward();
    seen.insert(seen.end(), {result.loss, in.hidden.grad(), main_grad});
  }
  at::set_num_threads(threads);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(seen[i], seen[i + 3]));
}

}  // namespace
}  // namespace longhaul::ops
