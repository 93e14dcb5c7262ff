#include "longhaul/ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace longhaul::ops {
namespace {

TEST(Rope, plain_frequencies_are_powers_of_theta) {
  const auto frequencies = rope_inverse_frequencies(64, 5e5);
  ASSERT_EQ(frequencies.size(), 32);
  for (int c = 0; c < 32; ++c) EXPECT_NEAR(frequencies[c] / std::pow(5e5, -2.0 * c / 64), 1, 5e-7);
}

TEST(Rope, linear_scaling_divides) {
  const auto plain = rope_inverse_frequencies(8, 1e4);
  const auto scaled = rope_inverse_frequencies(8, 1e4, {.kind = RopeFrequencyScaling::Kind::linear, .factor = 4});
  for (int c = 0; c < 4; ++c) EXPECT_EQ(scaled[c], plain[c] / 4);
}

struct Llama3Case {
  int64_t dim;
  double factor;
  int c;
  double expected;
};

class RopeLlama3 : public testing::TestWithParam<Llama3Case> {};

// Published constants of Llama-3.2-1B (d 64, factor 32) and Llama-3.1-8B (d 128, factor 8), computed in FP64.
TEST_P(RopeLlama3, matches_the_reference) {
  const Llama3Case& p = GetParam();
  const auto scaled =
      rope_inverse_frequencies(p.dim, 5e5, {RopeFrequencyScaling::Kind::llama3, p.factor, 1.0, 4.0, 8192});
  EXPECT_NEAR(scaled[p.c] / p.expected, 1, 2e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Values, RopeLlama3,
    testing::Values(Llama3Case{64, 32, 1, 6.636012377e-01}, Llama3Case{64, 32, 14, 3.211445995e-03},
                    Llama3Case{64, 32, 15, 1.290547928e-03}, Llama3Case{64, 32, 16, 4.295567966e-04},
                    Llama3Case{64, 32, 17, 9.708287803e-05}, Llama3Case{64, 32, 18, 1.946163818e-05},
                    Llama3Case{64, 32, 31, 9.418306725e-08}, Llama3Case{128, 8, 29, 2.166570764e-03},
                    Llama3Case{128, 8, 31, 8.567514129e-04}, Llama3Case{128, 8, 34, 1.785078128e-04},
                    Llama3Case{128, 8, 63, 3.068925989e-07}));

TEST(Rope, table_holds_cosines_and_sines_of_position_times_frequency) {
  const auto frequencies = rope_inverse_frequencies(16, 1e4);
  const RopeTable table = make_rope_table(frequencies, 600);
  ASSERT_EQ(table.cos.sizes(), (std::vector<int64_t>{600, 8}));
  const float* cos = table.cos.const_data_ptr<float>();
  const float* sin = table.sin.const_data_ptr<float>();
  for (int position : {0, 1, 77, 599}) {
    for (int c = 0; c < 8; ++c) {
      const float angle = static_cast<float>(position) * frequencies[c];
      EXPECT_NEAR(cos[position * 8 + c], std::cos(static_cast<double>(angle)), 2e-7);
      EXPECT_NEAR(sin[position * 8 + c], std::sin(static_cast<double>(angle)), 2e-7);
    }
  }
}

}  // namespace
}  // namespace longhaul::ops
