#include "longhaul/data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "data/torch_permutation.h"
#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Integers = std::vector<int64_t>;
using Batches = std::vector<Integers>;

Batches batches(const SamplerOptions& options, int64_t total, int64_t rank, int64_t consumed, int64_t count) {
  Sampler sampler(options, total);
  Batches read(static_cast<size_t>(count));
  for (Integers& numbers : read) {
    sampler.read_at(consumed, rank, numbers);
    consumed += sampler.stride();
  }
  return read;
}

SamplerOptions cyclic(bool sharding, int64_t micro_batch, int64_t ranks) {
  return {SamplerKind::cyclic, sharding, micro_batch, ranks};
}

// The expected numbers of these three are Megatron's and torch's own.
TEST(SamplerTest, Sequential) {
  const SamplerOptions options{.micro_batch = 2, .ranks = 2};
  EXPECT_EQ(batches(options, 21, 0, 0, 5), (Batches{{0, 1}, {4, 5}, {8, 9}, {12, 13}, {16, 17}}));
  EXPECT_EQ(batches(options, 21, 1, 0, 5), (Batches{{2, 3}, {6, 7}, {10, 11}, {14, 15}, {18, 19}}));
  EXPECT_EQ(batches(options, 21, 0, 8, 3), (Batches{{8, 9}, {12, 13}, {16, 17}}));
  EXPECT_EQ(Sampler(options, 21).end(), 20);
}

TEST(SamplerTest, Cyclic) {
  EXPECT_EQ(batches(cyclic(true, 2, 2), 22, 0, 0, 5), (Batches{{4, 1}, {7, 5}, {3, 9}, {0, 8}, {6, 2}}));
  EXPECT_EQ(batches(cyclic(true, 2, 2), 22, 1, 0, 5), (Batches{{14, 11}, {17, 15}, {13, 19}, {10, 18}, {16, 12}}));
  EXPECT_EQ(batches(cyclic(true, 2, 2), 22, 0, 24, 4), (Batches{{1, 2}, {0, 8}, {9, 3}, {7, 4}}));
  EXPECT_EQ(batches(cyclic(false, 2, 2), 22, 0, 8, 3), (Batches{{19, 2}, {18, 7}, {6, 17}}));
  EXPECT_EQ(batches(cyclic(false, 2, 2), 22, 1, 8, 3), (Batches{{13, 0}, {16, 8}, {14, 1}}));
  EXPECT_EQ(Sampler(cyclic(true, 2, 2), 22).end(), std::nullopt);
}

TEST(SamplerTest, TorchPermutation) {
  std::vector<uint32_t> numbers(3, 7);
  torch_permutation(12, 0, numbers);
  EXPECT_EQ(numbers, (std::vector<uint32_t>{8, 0, 5, 9, 7, 4, 2, 10, 3, 1, 11, 6}));
  torch_permutation(12, 1, numbers);
  EXPECT_EQ(numbers, (std::vector<uint32_t>{1, 4, 6, 8, 11, 0, 5, 3, 2, 9, 10, 7}));
  for (const int64_t size : {0, 1, 2}) {
    for (const int64_t wide_from : {0, 3}) {
      torch_permutation(size, 5, numbers, wide_from);
      std::sort(numbers.begin(), numbers.end());
      std::vector<uint32_t> all(static_cast<size_t>(size));
      std::iota(all.begin(), all.end(), uint32_t{0});
      EXPECT_EQ(numbers, all);
    }
  }
}

// What all ranks read for a step is the same set, however many they are and however large their
// micro-batches.
TEST(SamplerTest, AStepReadsTheSameSamplesInAnyLayout) {
  for (const auto& [micro, ranks] : {std::pair{1, 8}, {2, 4}, {4, 2}, {8, 1}, {2, 1}, {1, 1}}) {
    for (const SamplerOptions& options :
         {SamplerOptions{.micro_batch = micro, .ranks = ranks}, cyclic(false, micro, ranks)}) {
      Sampler sampler(options, 104);
      std::set<int64_t> read, expected;
      Integers numbers;
      for (int64_t consumed = 16; consumed < 24; consumed += sampler.stride()) {
        for (int64_t rank = 0; rank < ranks; ++rank) {
          sampler.read_at(consumed, rank, numbers);
          read.insert(numbers.begin(), numbers.end());
        }
      }
      Sampler alone({options.kind, options.sharding, 8, 1}, 104);
      alone.read_at(16, 0, numbers);
      expected.insert(numbers.begin(), numbers.end());
      EXPECT_EQ(read, expected) << micro << " x " << ranks;
      EXPECT_EQ(read.size(), 8);
    }
  }
}

// Every pass reads each sample once, but for the few that are dropped, in an order of its own; from wherever
// it goes on.
TEST(SamplerTest, PassesOfACyclicSampler) {
  for (const bool sharding : {true, false}) {
    for (const auto& [total, micro, ranks] : {std::tuple{22, 2, 2}, {64, 4, 4}, {31, 1, 5}, {7, 7, 1}, {40, 3, 2}}) {
      const SamplerOptions options = cyclic(sharding, micro, ranks);
      const int64_t stride = micro * ranks, in_pass = total / stride;
      std::vector<Integers> orders;
      for (int64_t pass = 0; pass < 3; ++pass) {
        Integers& order = orders.emplace_back();
        for (int64_t rank = 0; rank < ranks; ++rank) {
          const Batches whole = batches(options, total, rank, pass * in_pass * stride, in_pass);
          for (const Integers& batch : whole) order.insert(order.end(), batch.begin(), batch.end());
          for (int64_t i = 0; i < in_pass; ++i) {
            EXPECT_EQ(batches(options, total, rank, (pass * in_pass + i) * stride, 1)[0],
                      whole[static_cast<size_t>(i)]);
          }
        }
        const std::set<int64_t> once(order.begin(), order.end());
        EXPECT_EQ(once.size(), static_cast<size_t>(in_pass * stride));
        EXPECT_GE(*once.begin(), 0);
        EXPECT_LT(*once.rbegin(), total);
      }
      EXPECT_NE(orders[0], orders[1]);
      EXPECT_NE(orders[1], orders[2]);
    }
  }
}

TEST(SamplerTest, TheOrdersId) {
  const auto id = [](const SamplerOptions& options, int64_t total = 64, const char* dataset = "a") {
    return Sampler(options, total).order_id(dataset);
  };
  EXPECT_EQ(id({.micro_batch = 2, .ranks = 4}), "a");
  EXPECT_EQ(id(cyclic(false, 2, 2)), id(cyclic(false, 2, 4))) << "the same sets of samples";
  const std::set<std::string> ids{"a",
                                  id(cyclic(false, 2, 2)),
                                  id(cyclic(false, 2, 2), 66),
                                  id(cyclic(false, 2, 2), 64, "b"),
                                  id(cyclic(true, 2, 2)),
                                  id(cyclic(true, 2, 4)),
                                  id(cyclic(true, 2, 2), 68)};
  EXPECT_EQ(ids.size(), 7);
  EXPECT_NE(id(cyclic(false, 2, 2), 66), id(cyclic(false, 2, 3), 66 + 2)) << "passes of 64 and of 66";
}

TEST(SamplerTest, WhatACyclicSamplerRefuses) {
  EXPECT_CONTAINS(message_of<UserError>([] { Sampler(cyclic(true, 4, 3), 11); }),
                  "holds 11 samples, but data.sampler=cyclic reads 12 at once (batch.micro 4 × 3 data-parallel ranks)");
  EXPECT_CONTAINS(message_of<UserError>([] { Sampler(cyclic(false, 1, 1), (int64_t{1} << 32) + 1); }),
                  "at most 2^32 samples");
  Sampler sampler(cyclic(true, 2, 4), 100);
  Integers numbers;
  EXPECT_CONTAINS(message_of<UserError>([&] { sampler.read_at(12, 0, numbers); }),
                  "12 samples are consumed, but data.sampler=cyclic goes on");
}

}  // namespace
}  // namespace longhaul
