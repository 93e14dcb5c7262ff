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

TEST(StageLayers, TheEndsMayHaveANumberOfTheirOwn) {
  // As Megatron deals them with decoder_first_pipeline_num_layers and decoder_last_pipeline_num_layers.
  EXPECT_EQ(counts(16, 4, 1, {.first_stage = 3, .last_stage = 3}), (Counts{3, 5, 5, 3}));
  EXPECT_EQ(counts(16, 4, 1, {.first_stage = 1}), (Counts{1, 5, 5, 5}));
  EXPECT_EQ(counts(16, 4, 1, {.last_stage = 1}), (Counts{5, 5, 5, 1}));
  EXPECT_EQ(counts(17, 4, 1, {.first_stage = 3, .last_stage = 3}), (Counts{3, 6, 5, 3}));
  EXPECT_EQ(counts(9, 2, 1, {.first_stage = 7, .last_stage = 2}), (Counts{7, 2}));
  EXPECT_EQ(counts(16, 4, 2, {.first_stage = 2, .last_stage = 2}), (Counts{1, 3, 3, 1, 1, 3, 3, 1}));
}

TEST(StageLayers, WhatCannotBeDealtSaysWhy) {
  const auto says = [](int64_t layers, int64_t stages, int64_t chunks, LayerSplit split, const char* what) {
    const std::string problem = layer_split_problem(layers, stages, chunks, split);
    EXPECT_NE(problem.find(what), std::string::npos) << problem;
    EXPECT_THROW(layers_of_stage(layers, stages, chunks, 0, 0, split), InternalError);
  };
  EXPECT_EQ(layer_split_problem(16, 4, 2, {.first_stage = 2}), "");
  says(16, 4, 1, {.count_loss = true, .first_stage = 2}, "leave parallel.count_embedding and parallel.count_loss out");
  says(16, 1, 1, {.first_stage = 2}, "need parallel.pipeline above 1");
  says(16, 4, 2, {.first_stage = 3}, "multiples of parallel.virtual_pipeline 2");
  says(
      6, 4, 1, {.first_stage = 3, .last_stage = 2},
      "parallel.first_stage_layers 3 + parallel.last_stage_layers 2 of model.layers 6 leave 1 for the 2 pieces of the other stages: 4 at most would do");
  says(
      2, 2, 1, {.first_stage = 3},
      "parallel.first_stage_layers 3 of model.layers 2 leaves 0 for the 1 piece of the other stages: 1 at most would do");
  says(
      8, 2, 2, {.last_stage = 8},
      "parallel.last_stage_layers 8 of model.layers 8 leaves 0 for the 2 pieces of the other stages: 6 at most would do");
  for (const int64_t first : {3, 5})
    says(6, 2, 1, {.first_stage = first, .last_stage = 2},
         "parallel.last_stage_layers 2, of the only two stages, is not model.layers 6: leave one of them out");
}

}  // namespace
}  // namespace longhaul::parallel
