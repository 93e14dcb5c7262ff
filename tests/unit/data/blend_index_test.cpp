// The order of blends: vectors that megatron-core's helpers gave.
#include "data/blend_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "data/greedy_blend.h"
#include "data/md5.h"
#include "longhaul/data/numpy_random.h"

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

template <typename Build>
BlendIndex in_memory(int64_t size, Build build) {
  IndexArrayWriter datasets(IndexArray::Type::int16, size), samples(IndexArray::Type::int64, size);
  build(BlendIndexWriters{datasets, samples});
  return {datasets.finish(), samples.finish()};
}
BlendIndex blend(const std::vector<double>& weights, int64_t size) {
  return in_memory(size, [&](BlendIndexWriters arrays) { build_blend_index(normalized(weights), size, arrays); });
}
BlendIndex blend_by_size(const Numbers& lengths, int64_t size) {
  return in_memory(size, [&](BlendIndexWriters arrays) { build_blend_index_by_size(lengths, size, arrays); });
}

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
  const BlendIndex all = blend_by_size(lengths, 10);
  EXPECT_EQ(numbers(all.datasets), (Numbers{1, 0, 2, 1, 0, 1, 2, 1, 0, 1}));
  EXPECT_EQ(numbers(all.samples), (Numbers{0, 0, 0, 1, 1, 2, 1, 3, 2, 4}));
  EXPECT_EQ(numbers(blend_by_size({1, 4}, 5).datasets), (Numbers{1, 0, 1, 1, 1}));
  EXPECT_EQ(samples_used(blend_by_size({1, 1, 97, 500}, 599), 4), (Numbers{1, 1, 97, 500}));
  EXPECT_EQ(numbers(blend_by_size(lengths, 4).datasets), (Numbers{1, 0, 2, 1}));
}

// Rounds of many stretches at once must give what one place after another gives, whatever the weights do to the
// guesses, and wherever datasets run out.
TEST(BlendIndexTest, StretchesAtOnceEqualOnePlaceAfterAnother) {
  const auto in_turn = [](const std::vector<double>& weights, const std::vector<double>& limits, int64_t size) {
    std::vector<int16_t> datasets(static_cast<size_t>(size));
    std::vector<int64_t> samples(datasets.size());
    std::vector<double> used(weights.size(), 0.0);
    serve_in_turn(weights, limits, used, 0, datasets, samples);
    return std::pair(datasets, samples);
  };
  const auto equal = [](const IndexArray& array, const auto& values) {
    return array.bytes().size() == std::as_bytes(std::span(values)).size() &&
           std::memcmp(array.bytes().data(), values.data(), array.bytes().size()) == 0;
  };
  RandomState random(1);
  std::vector<std::vector<double>> cases{
      {1, 1}, {.3, .5, .2}, {.999, .001}, {1, 1e-7, 1e-5}, {1, 1, 1, 1, 1, 1, 1, 1, 1e-3}, {1}};
  for (const size_t count : {5, 17, 60}) {
    std::vector<double> even, uneven;
    for (size_t i = 0; i < count; ++i) {
      even.push_back(0.05 + random.next_double());
      uneven.push_back(std::pow(10, -5 * random.next_double()));
    }
    cases.insert(cases.end(), {even, uneven});
  }
  const int64_t size = 3 * 8 * (1 << 14) + 12345;
  for (const auto& weights : cases) {
    const auto [datasets, samples] = in_turn(normalized(weights), {}, size);
    const BlendIndex index = blend(weights, size);
    EXPECT_TRUE(equal(index.datasets, datasets) && equal(index.samples, samples)) << weights.size() << " weights";
  }
  for (const Numbers& lengths :
       {Numbers{200'000, 300'000}, Numbers{1, 400'000, 100'000}, Numbers{3, 50, 1, 7, 600'000, 2, 2}}) {
    const std::vector<double> limits(lengths.begin(), lengths.end());
    const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
    std::vector<double> weights;
    for (const double limit : limits) weights.push_back(limit / static_cast<double>(total));
    const auto [datasets, samples] = in_turn(weights, limits, total);
    const BlendIndex index = blend_by_size(lengths, total);
    EXPECT_TRUE(equal(index.datasets, datasets) && equal(index.samples, samples)) << lengths.size() << " lengths";
  }
}

// A plain sum of twelve tenths, left to right, is 1.2 less one bit; NumPy's is not.
TEST(BlendIndexTest, WeightsAreSummedAsNumPyDoes) {
  const std::vector<double> tenths(12, 0.1);
  EXPECT_NE(std::accumulate(tenths.begin(), tenths.end(), 0.0),
            ((0.1 + 0.1) + (0.1 + 0.1)) * 2 + 0.1 + 0.1 + 0.1 + 0.1);
  EXPECT_EQ(normalized(tenths)[0], 0.1 / (((0.1 + 0.1) + (0.1 + 0.1)) * 2 + 0.1 + 0.1 + 0.1 + 0.1));
}

}  // namespace
}  // namespace longhaul
