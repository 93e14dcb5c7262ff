// The order of blends: vectors that megatron-core's helpers gave.
#include "data/blend_index.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "data/md5.h"

namespace longhaul {
namespace {

using Numbers = std::vector<int64_t>;

Numbers numbers(const IndexArray& array) {
  Numbers values;
  for (int64_t i = 0; i < array.rows(); ++i) values.push_back(array[i]);
  return values;
}

std::string md5_of(const IndexArray& array) {
  return md5_hex({reinterpret_cast<const char*>(array.bytes().data()), array.bytes().size()});
}

BlendIndex blend(const std::vector<double>& weights, int64_t size) { return build_blend_index(normalized(weights), size); }

TEST(BlendIndexTest, SmallBlends) {
  const BlendIndex three = blend({.3, .5, .2}, 20);
  EXPECT_EQ(numbers(three.datasets), (Numbers{1, 0, 2, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1}));
  EXPECT_EQ(numbers(three.samples), (Numbers{0, 0, 0, 1, 1, 2, 1, 3, 2, 4, 3, 5, 2, 6, 4, 7, 3, 8, 5, 9}));
  EXPECT_EQ(three.datasets.type(), IndexArray::Type::int16);
  EXPECT_EQ(three.samples.type(), IndexArray::Type::int64);
  EXPECT_EQ(numbers(blend({1, 1}, 8).datasets), (Numbers{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(numbers(blend({.7, .3}, 10).samples), (Numbers{0, 0, 1, 2, 1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(numbers(blend({1, 2, 3, 4}, 20).datasets),
            (Numbers{3, 2, 1, 0, 3, 2, 3, 1, 2, 3, 0, 3, 2, 1, 3, 2, 3, 1, 2, 3}));
  EXPECT_EQ(blend({1}, 0).datasets.rows(), 0);
}

// A fused multiply-add would change both.
TEST(BlendIndexTest, LargeBlendsToTheLastBit) {
  const BlendIndex three = blend({.3, .5, .2}, 100000);
  EXPECT_EQ(samples_used(three, 3), (Numbers{30000, 50000, 20000}));
  EXPECT_EQ(md5_of(three.datasets), "e5f6e234dc95b6b38e9dfd6459c7ef55");
  EXPECT_EQ(md5_of(three.samples), "04db2739ba548ad558cda4fa490ef1f3");
  const BlendIndex four = blend({1.0 / 3, 2.0 / 7, 0.123, 0.9}, 100000);
  EXPECT_EQ(samples_used(four, 4), (Numbers{20300, 17400, 7491, 54809}));
  EXPECT_EQ(md5_of(four.datasets), "e7d0ddaf1543f7ac734e96558e03a87c");
  EXPECT_EQ(md5_of(four.samples), "4eb6b3d984b8f60526fd8d53cec51dcb");
}

TEST(BlendIndexTest, BySizeServesEverySampleOnce) {
  const Numbers lengths{3, 5, 2};
  const BlendIndex all = build_blend_index_by_size(lengths, 10);
  EXPECT_EQ(numbers(all.datasets), (Numbers{1, 0, 2, 1, 0, 1, 2, 1, 0, 1}));
  EXPECT_EQ(numbers(all.samples), (Numbers{0, 0, 0, 1, 1, 2, 1, 3, 2, 4}));
  EXPECT_EQ(numbers(build_blend_index_by_size(Numbers{1, 4}, 5).datasets), (Numbers{1, 0, 1, 1, 1}));
  EXPECT_EQ(samples_used(build_blend_index_by_size(Numbers{1, 1, 97, 500}, 599), 4), (Numbers{1, 1, 97, 500}));
  EXPECT_EQ(numbers(build_blend_index_by_size(lengths, 4).datasets), (Numbers{1, 0, 2, 1}));
}

// A plain sum of twelve tenths, left to right, is 1.2 less one bit; NumPy's is not.
TEST(BlendIndexTest, WeightsAreSummedAsNumPyDoes) {
  const std::vector<double> tenths(12, 0.1);
  EXPECT_NE(std::accumulate(tenths.begin(), tenths.end(), 0.0), ((0.1 + 0.1) + (0.1 + 0.1)) * 2 + 0.1 + 0.1 + 0.1 + 0.1);
  EXPECT_EQ(normalized(tenths)[0], 0.1 / (((0.1 + 0.1) + (0.1 + 0.1)) * 2 + 0.1 + 0.1 + 0.1 + 0.1));
}

}  // namespace
}  // namespace longhaul
