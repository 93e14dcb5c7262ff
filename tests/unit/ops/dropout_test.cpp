#include "longhaul/ops/dropout.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>

#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

constexpr uint64_t kStep = 11;
const DropoutKey kKey{7, "layers.3.attention", dropout_place(kStep, 0)};

DropoutKey at_token(uint64_t first_token) {
  DropoutKey key = kKey;
  key.first_token = first_token;
  return key;
}

TEST(Dropout, DrawsTheNumbersOfTheRandomStream) {
  for (int64_t hidden : {1, 3, 17, 512, 513, 4096}) {
    for (int64_t tokens : {0, 1, 5}) {
      for (double probability : {0.1, 0.5, 0.9}) {
        const at::Tensor x = random_tensor({tokens, hidden}, 1, at::kFloat);
        const at::Tensor y = dropout(x, probability, at_token(1000003));
        const RandomStream stream(kKey.seed, kKey.site);
        const float* in = x.const_data_ptr<float>();
        const float* out = y.const_data_ptr<float>();
        const float scale = static_cast<float>(1 / (1 - probability));
        for (int64_t i = 0; i < x.numel(); ++i) {
          const bool keep = stream.uniform(1000003 * hidden + i, kStep) >= probability;
          ASSERT_EQ(out[i], keep ? in[i] * scale : 0.0F) << tokens << "x" << hidden << " " << i;
        }
      }
    }
  }
}

TEST(Dropout, CountersBeyond32Bits) {
  const uint64_t step = uint64_t{3} << 33;
  DropoutKey key = at_token(uint64_t{5} << 40);
  key.place = dropout_place(step, 0);
  const at::Tensor y = dropout(at::ones({3, 7}, at::kFloat), 0.5, key);
  const RandomStream stream(key.seed, key.site);
  for (int64_t i = 0; i < 21; ++i) {
    EXPECT_EQ(y.const_data_ptr<float>()[i] != 0, stream.uniform(key.first_token * 7 + i, step) >= 0.5) << i;
  }
}

TEST(Dropout, MaskDependsOnTheGlobalPositionAlone) {
  const at::Tensor x = random_tensor({100, 129}, 1, at::kFloat), whole = dropout(x, 0.3, at_token(50));
  Tensors parts;
  for (int64_t begin = 0; begin < 100; begin += 25) {
    parts.push_back(dropout(x.narrow(0, begin, 25), 0.3, at_token(50 + begin)));
  }
  EXPECT_TRUE(bit_equal(at::cat(parts), whole));
  DropoutKey other = at_token(50);
  other.site = "layers.4.attention";
  EXPECT_FALSE(bit_equal(dropout(x, 0.3, other), whole));
}

// The kernel counts from the place, which may be another one at its next run.
TEST(Dropout, MaskIsOfTheNumbersInMemory) {
  const at::Tensor x = random_tensor({100, 129}, 1, at::kFloat), whole = dropout(x, 0.3, at_token(50));
  const DropoutKey key{kKey.seed, kKey.site, dropout_place(kStep, 50)};
  EXPECT_TRUE(bit_equal(dropout(x, 0.3, key), whole));
  key.place.copy_(dropout_place(kStep, 75));
  EXPECT_TRUE(bit_equal(dropout(x.narrow(0, 25, 75), 0.3, key), whole.narrow(0, 25, 75)));
  key.place.copy_(dropout_place(kStep + 1, 50));
  EXPECT_FALSE(bit_equal(dropout(x, 0.3, key), whole));
}

// Until the backward is done nobody may write another place there.
TEST(Dropout, BackwardNoticesAnotherPlace) {
  const DropoutKey key{kKey.seed, kKey.site, dropout_place(kStep, 50)};
  const at::Tensor x = leaf(random_tensor({4, 6}, 1, at::kFloat)), y = dropout(x, 0.3, key);
  key.place.copy_(dropout_place(kStep, 54));
  EXPECT_THROW(y.sum().backward(), c10::Error);
}

TEST(Dropout, RefusesAPlaceThatIsNone) {
  const at::Tensor x = random_tensor({4, 6}, 1, at::kFloat);
  EXPECT_THROW(dropout(x, 0.3, {.seed = 7, .site = "x"}), InternalError);
  EXPECT_THROW(dropout(x, 0.3, {.seed = 7, .site = "x", .place = at::ones({2})}), InternalError);
  EXPECT_THROW(dropout(x, 0.3, {.seed = 7, .site = "x", .place = dropout_place(1, 0).narrow(0, 0, 1)}), InternalError);
}

TEST(Dropout, KeepsTheExpectedShare) {
  const at::Tensor ones = at::ones({1000, 1000}, at::kFloat);
  for (double probability : {0.1, 0.5}) {
    const double kept = (dropout(ones, probability, kKey) != 0).sum().item().toDouble() / 1e6;
    EXPECT_NEAR(kept, 1 - probability, 5 * std::sqrt(probability * (1 - probability) / 1e6));
  }
}

TEST(Dropout, BackwardUsesTheSameMask) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = leaf(random_tensor({10, 65}, 1, type)), dy = random_tensor({10, 65}, 2, type);
    const Tensors dx = gradients_of({dropout(x, 0.4, kKey)}, {dy}, {x});
    EXPECT_TRUE(bit_equal(dx[0], dropout(dy, 0.4, kKey)));
  }
  check_gradients([](const Tensors& in) -> Tensors { return {dropout(in[0], 0.4, kKey)}; },
                  {leaf(random_tensor({4, 6}, 3))});
}

TEST(Dropout, ProbabilityZeroReturnsItsInput) {
  const at::Tensor x = random_tensor({2, 3}, 1, at::kFloat);
  EXPECT_TRUE(dropout(x, 0, kKey).is_same(x));
}

TEST(Dropout, BitEqualForAnyNumberOfThreads) {
  const at::Tensor x = random_tensor({333, 514}, 1, at::kFloat);
  Tensors results;
  for (int threads : {1, 2, 3}) with_threads(threads, [&] { results.push_back(dropout(x, 0.2, at_token(3))); });
  EXPECT_TRUE(bit_equal(results[0], results[1]));
  EXPECT_TRUE(bit_equal(results[0], results[2]));
}

}  // namespace
}  // namespace longhaul::ops
