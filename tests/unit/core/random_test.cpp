#include "longhaul/core/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace longhaul {
namespace {

TEST(RandomStream, SliceEqualsTheWhole) {
  const RandomStream stream(7, "decoder.layers.0.mlp.linear_fc1.weight");
  std::vector<float> whole(1003);
  stream.fill_normal(whole.data(), 0, whole.size(), 0, 1);
  for (size_t begin : {0, 1, 3, 4, 501, 1002}) {
    std::vector<float> slice(whole.size() - begin);
    stream.fill_normal(slice.data(), begin, slice.size(), 0, 1);
    for (size_t i = 0; i < slice.size(); ++i) ASSERT_EQ(slice[i], whole[begin + i]) << begin << " " << i;
  }
}

TEST(RandomStream, MomentsOfTheNormalDistribution) {
  const RandomStream stream(1, "x");
  std::vector<float> values(400000);
  stream.fill_normal(values.data(), 0, values.size(), 0.5F, 2.0F);
  double mean = 0, square = 0, fourth = 0;
  for (float v : values) mean += v;
  mean /= values.size();
  for (float v : values) {
    square += (v - mean) * (v - mean);
    fourth += std::pow(v - mean, 4);
  }
  square /= values.size();
  fourth /= values.size();
  EXPECT_NEAR(mean, 0.5, 0.02);
  EXPECT_NEAR(square, 4.0, 0.05);
  EXPECT_NEAR(fourth / (square * square), 3.0, 0.05);
}

TEST(RandomStream, NamesAndSeedsGiveOtherStreams) {
  EXPECT_NE(RandomStream(1, "a").words(0), RandomStream(1, "b").words(0));
  EXPECT_NE(RandomStream(1, "a").words(0), RandomStream(2, "a").words(0));
  EXPECT_NE(RandomStream(1, "a").words(0), RandomStream(1, "a").words(0, 1));
}

}  // namespace
}  // namespace longhaul
