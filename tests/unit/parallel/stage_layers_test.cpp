#include "longhaul/parallel/stage_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul::parallel {
namespace {

// In the order of the forward pass.
std::vector<int64_t> counts(int64_t layers, int64_t stages, int64_t chunks = 1, LayerSplit split = {}) {
  std::vector<int64_t> result;
  int64_t next = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t stage = 0; stage < stages; ++stage) {
      const LayerRange range = layers_of_stage(layers, stages, chunks, stage, chunk, split);
      EXPECT_EQ(range.begin, next);
      next = range.end;
      result.push_back(range.count());
    }
  EXPECT_EQ(next, layers);
  return result;
}

using Counts = std::vector<int64_t>;

TEST(StageLayers, DivideOrDifferByOne) {
  EXPECT_EQ(counts(32, 4), (Counts{8, 8, 8, 8}));
  EXPECT_EQ(counts(30, 4), (Counts{7, 8, 8, 7}));
  EXPECT_EQ(counts(31, 4), (Counts{8, 8, 8, 7}));
  EXPECT_EQ(counts(5, 1), (Counts{5}));
  EXPECT_EQ(counts(8, 2, 4), (Counts{1, 1, 1, 1, 1, 1, 1, 1}));
  for (int64_t stages = 1; stages <= 8; ++stages)
    for (int64_t chunks = 1; chunks <= 4; ++chunks)
      for (int64_t layers = stages * chunks; layers <= 40; ++layers) {
        const Counts all = counts(layers, stages, chunks);
        const auto [least, most] = std::minmax_element(all.begin(), all.end());
        EXPECT_LE(*most - *least, 1);
        EXPECT_EQ(all.back(), *least);
      }
}

TEST(StageLayers, TheEmbeddingAndTheLossMayCount) {
  // Llama 3.1 405B: 126 layers on 8 stages of 2 chunks, as Megatron deals them.
  Counts expected(16, 8);
  expected.front() = expected.back() = 7;
  EXPECT_EQ(counts(126, 8, 2, {true, true}), expected);
  EXPECT_EQ(counts(7, 4, 1, {true, false}), (Counts{1, 2, 2, 2}));
  EXPECT_EQ(counts(7, 4, 1, {false, true}), (Counts{2, 2, 2, 1}));
  EXPECT_EQ(counts(2, 4, 1, {true, true}), (Counts{0, 1, 1, 0}));
  EXPECT_EQ(counts(3, 1, 1, {true, true}), (Counts{3}));
  EXPECT_THROW(counts(1, 4, 1, {true, true}), InternalError);
  EXPECT_THROW(counts(3, 4), InternalError);
}

}  // namespace
}  // namespace longhaul::parallel
