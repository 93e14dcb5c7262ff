#include "longhaul/recipes/layouts.h"

#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "longhaul/recipes/library.h"
#include "longhaul/recipes/rank_share.h"

namespace longhaul {
namespace {

using Texts = std::vector<std::string>;

// Llama 3 8B: 32 heads, 8 key/value heads, 32 layers.
LayoutNeeds needs(int64_t ranks = 0) {
  return {.ranks = ranks,
          .heads = 32,
          .kv_heads = 8,
          .layers = 32,
          .ffn_hidden = 14336,
          .vocab_size = 128256,
          .sequence_length = 8192,
          .micro_batches = 512};
}

ParallelConfig sizes(int64_t tensor, int64_t pipeline, int64_t chunks = 1) {
  ParallelConfig layout;
  layout.tensor = tensor;
  layout.pipeline = pipeline;
  layout.virtual_pipeline = chunks;
  if (chunks > 1) layout.schedule = PipelineSchedule::interleaved;
  return layout;
}

TEST(Layouts, WhatFitsHasNoProblems) {
  for (const auto& layout : {sizes(1, 1), sizes(8, 4), sizes(2, 3), sizes(16, 1), sizes(4, 4, 8)})
    EXPECT_EQ(layout_problems(layout, needs()), Texts{});
  EXPECT_EQ(layout_problems(sizes(2, 4), needs(16)), Texts{});
}

TEST(Layouts, ProblemsNameKeysAndValues) {
  EXPECT_EQ(layout_problems(sizes(3, 1), needs()),
            (Texts{"model.heads 32 does not divide by parallel.tensor 3",
                   "neither of model.kv_heads 8 and parallel.tensor 3 divides by the other",
                   "model.ffn_hidden 14336 does not divide by parallel.tensor 3"}));
  EXPECT_EQ(layout_problems(sizes(1, 33), needs()),
            (Texts{"parallel.pipeline 33 × parallel.virtual_pipeline 1 is more than model.layers 32"}));
  EXPECT_EQ(layout_problems(sizes(2, 3), needs(16)),
            (Texts{"16 ranks do not divide by parallel.tensor 2 × parallel.pipeline 3 × parallel.context 1, "
                   "which is 6"}));
  EXPECT_EQ(layout_problems(sizes(1, 1), needs(3)),
            (Texts{"batch.global / batch.micro, 512 micro-batches, does not divide by 3 data-parallel ranks"}));
  ParallelConfig sequence = sizes(4, 1);
  sequence.sequence = true;
  LayoutNeeds odd = needs();
  odd.sequence_length = 8190;
  EXPECT_EQ(layout_problems(sequence, odd).size(), 1U);
  sequence.context = 4;
  EXPECT_EQ(layout_problems(sequence, odd).size(), 2U);
  LayoutNeeds small = needs();
  small.vocab_size = 3;
  EXPECT_EQ(layout_problems(sizes(4, 1), small),
            (Texts{"model.vocab_size 3, cut into parallel.tensor 4 × 1 rows (multiples of model.vocab_multiple 1), "
                   "leaves none to the last rank"}));
}

// Padding goes to the last ranks, and may take all that a small vocabulary has for them.
TEST(Layouts, EachRankNeedsARowOfTheVocabulary) {
  LayoutNeeds padded = needs();
  padded.vocab_multiple = 16;
  padded.vocab_size = 113;
  EXPECT_EQ(layout_problems(sizes(8, 1), padded), Texts{});
  padded.vocab_size = 112;
  EXPECT_EQ(layout_problems(sizes(8, 1), padded).size(), 1U);
  EXPECT_EQ(layout_problems(sizes(4, 1), padded), Texts{});
}

TEST(Layouts, TheNearestComeFirst) {
  EXPECT_EQ(nearest_layouts(sizes(3, 1), needs(), 2),
            (Texts{"parallel.tensor=4 parallel.pipeline=1", "parallel.tensor=2 parallel.pipeline=1"}));
  EXPECT_EQ(nearest_layouts(sizes(2, 3), needs(16), 2),
            (Texts{"parallel.tensor=2 parallel.pipeline=4 (with 2 data-parallel ranks)",
                   "parallel.tensor=2 parallel.pipeline=2 (with 4 data-parallel ranks)"}));
  // 6 × 8 chunks are too many for 32 layers; what must change with them is named.
  EXPECT_EQ(nearest_layouts(sizes(1, 40), needs(), 1), (Texts{"parallel.tensor=1 parallel.pipeline=32"}));
  EXPECT_EQ(nearest_layouts(sizes(1, 17, 2), needs(), 1), (Texts{"parallel.tensor=1 parallel.pipeline=16"}));
  EXPECT_EQ(nearest_layouts(sizes(1, 32, 2), needs(), 1),
            (Texts{"parallel.tensor=1 parallel.pipeline=32 parallel.virtual_pipeline=1 parallel.schedule=1f1b"}));
  ParallelConfig sequence = sizes(2, 1);
  sequence.sequence = true;
  LayoutNeeds odd = needs();
  odd.sequence_length = 8191;
  EXPECT_EQ(nearest_layouts(sequence, odd, 1),
            (Texts{"parallel.tensor=2 parallel.pipeline=1 parallel.sequence=false"}));
  odd.sequence_length = 8190;
  sequence.tensor = 4;
  EXPECT_EQ(nearest_layouts(sequence, odd, 2), (Texts{"parallel.tensor=4 parallel.pipeline=1 parallel.sequence=false",
                                                      "parallel.tensor=2 parallel.pipeline=1"}));
}

// Whatever one asks for, what is proposed fits, and nothing that fits is refused.
TEST(Layouts, ProposalsFit) {
  for (int64_t ranks : {0, 6, 8, 12, 16, 48})
    for (int64_t tensor = 1; tensor <= 12; ++tensor)
      for (int64_t pipeline = 1; pipeline <= 12; ++pipeline) {
        const ParallelConfig wanted = sizes(tensor, pipeline);
        LayoutNeeds some = needs(ranks);
        some.micro_batches = 96;
        const Texts nearest = nearest_layouts(wanted, some);
        EXPECT_FALSE(nearest.empty());
        if (layout_problems(wanted, some).empty()) {
          EXPECT_TRUE(
              nearest.front().starts_with(fmt::format("parallel.tensor={} parallel.pipeline={}", tensor, pipeline)));
        }
        for (const std::string& text : nearest) {
          int t = 0, p = 0;
          ASSERT_EQ(std::sscanf(text.c_str(), "parallel.tensor=%d parallel.pipeline=%d", &t, &p), 2);
          EXPECT_EQ(layout_problems(sizes(t, p), some), Texts{}) << text;
        }
      }
}

// What goes with tensor ranks, or with stages, goes without them.
TEST(Layouts, ProposalsDropWhatTheirSizesRuleOut) {
  ParallelConfig chunked = sizes(3, 1);
  chunked.tensor_chunks = 4;
  LayoutNeeds odd = needs();
  odd.heads = odd.kv_heads = 31;
  EXPECT_EQ(nearest_layouts(chunked, odd, 1),
            (Texts{"parallel.tensor=1 parallel.pipeline=1 parallel.tensor_chunks=1"}));
  ParallelConfig uneven = sizes(1, 4);
  uneven.first_stage_layers = 30;
  EXPECT_EQ(
      layout_problems(uneven, needs()),
      (Texts{
          "parallel.first_stage_layers 30 of model.layers 32 leaves 2 for the 3 pieces of the other stages: 29 at most would do"}));
  EXPECT_EQ(nearest_layouts(uneven, needs(), 3),
            (Texts{"parallel.tensor=1 parallel.pipeline=4 parallel.first_stage_layers=29",
                   "parallel.tensor=1 parallel.pipeline=4 parallel.first_stage_layers=0",
                   "parallel.tensor=1 parallel.pipeline=3"}));
  LayoutNeeds two = needs();
  two.layers = 2;
  uneven.pipeline = 2;
  uneven.first_stage_layers = 3;
  EXPECT_EQ(nearest_layouts(uneven, two, 1),
            (Texts{"parallel.tensor=1 parallel.pipeline=2 parallel.first_stage_layers=1"}));
  uneven = sizes(1, 4);
  uneven.first_stage_layers = 5;
  EXPECT_EQ(layout_problems(uneven, needs()), Texts{});
  // 32 layers with what counts as two more.
  ParallelConfig counted = sizes(1, 34);
  counted.count_embedding = counted.count_loss = true;
  EXPECT_EQ(layout_problems(counted, needs()), Texts{});
  counted.count_loss = false;
  EXPECT_EQ(layout_problems(counted, needs()).size(), 1U);
}

TEST(Layouts, TheOrderOfTheAxes) {
  using comm::Axis;
  ParallelConfig layout;
  EXPECT_EQ(axis_order(layout), comm::kMegatronOrder);
  layout.order = "pipeline-data-expert-context-tensor";
  EXPECT_EQ(axis_order(layout),
            (comm::AxisOrder{Axis::pipeline, Axis::data, Axis::expert, Axis::context, Axis::tensor}));
  const auto says = [&](const char* order, const char* text) {
    layout.order = order;
    try {
      axis_order(layout);
      ADD_FAILURE() << order;
    } catch (const UserError& error) {
      EXPECT_EQ(std::string(error.what()), fmt::format("parallel.order \"{}\" {}", order, text));
    }
  };
  says("tensor-pipeline",
       "lacks context, expert, data: name each axis once, as in "
       "parallel.order=tensor-pipeline-context-expert-data");
  says("tensor-context-expert-data-pipline",
       "has \"pipline\", which is no axis: name each axis once, as in "
       "parallel.order=tensor-context-expert-data-pipeline");
  says("pipline-context-expert-data-tensor-",
       "has \"pipline\", \"\", which are no axes: name each axis once, as in "
       "parallel.order=pipeline-context-expert-data-tensor");
  says(
      "tp-tensor-ep-dp-pp",
      "has tensor twice and lacks context: name each axis once, as in parallel.order=tensor-expert-data-pipeline-context");
}

// Megatron-Core's RankGenerator takes "tp-cp-ep-dp-pp", and with --use-tp-pp-dp-mapping "tp-cp-ep-pp-dp".
TEST(Layouts, MegatronsNamesOfTheAxes) {
  using comm::Axis;
  ParallelConfig layout;
  layout.order = "tp-cp-ep-dp-pp";
  EXPECT_EQ(axis_order(layout), comm::kMegatronOrder);
  layout.order = "tp-cp-ep-pp-dp";
  EXPECT_EQ(axis_order(layout),
            (comm::AxisOrder{Axis::tensor, Axis::context, Axis::expert, Axis::pipeline, Axis::data}));
}

TEST(Layouts, NearestRankCounts) {
  using Counts = std::vector<int64_t>;
  LayoutNeeds some = needs(60);
  some.micro_batches = 16;
  EXPECT_EQ(nearest_rank_counts(sizes(4, 2), some), (Counts{32, 64}));
  EXPECT_EQ(nearest_rank_counts(sizes(4, 1), some), (Counts{32, 64}));
  EXPECT_EQ(nearest_rank_counts(sizes(1, 1), some), (Counts{16}));
  EXPECT_EQ(nearest_rank_counts(sizes(16, 8), some), (Counts{128}));
  EXPECT_EQ(nearest_rank_counts(sizes(3, 1), some), (Counts{}));
}

std::string refusal(const Recipe& recipe, int64_t ranks) {
  try {
    require_layout(recipe, ranks);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Layouts, ABatchThatDoesNotDivideByTheRanksMayInSmallerMicroBatches) {
  Recipe r = resolved(recipes::llama_tiny());
  r.batch = {.global = 24, .micro = 6};
  EXPECT_EQ(refusal(r, 4), "");
  EXPECT_TRUE(refusal(r, 6).starts_with(
      "batch.global / batch.micro, 4 micro-batches, does not divide by 6 data-parallel ranks. What fits: "));
  EXPECT_NE(refusal(r, 6).find("What fits: batch.micro=4 with the layout as it is; "), std::string::npos)
      << refusal(r, 6);
  EXPECT_EQ(refusal(r, 5).find("batch.micro="), std::string::npos) << "24 do not divide by 5";
  r.batch.micro = 4;
  EXPECT_EQ(refusal(r, 6), "");
  // Each of its batches must divide: 8, 16, 24.
  r.batch = {.global = 24, .micro = 2, .schedule = "0:8 1K:16 2K:24"};
  EXPECT_EQ(refusal(r, 4), "");
  EXPECT_TRUE(refusal(r, 8).starts_with(
      "batch.schedule / batch.micro, 4 micro-batches common to all its batches, does not divide by 8 data-parallel ranks."))
      << refusal(r, 8);
  EXPECT_NE(refusal(r, 8).find("What fits: batch.micro=1 with the layout as it is; "), std::string::npos)
      << refusal(r, 8);
}

TEST(Layouts, RefusalSaysWhatFits) {
  try {
    require_layout(sizes(3, 1), needs(8));
    FAIL();
  } catch (const UserError& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("model.heads 32 does not divide by parallel.tensor 3; ")) << text;
    EXPECT_TRUE(text.find(". What fits: parallel.tensor=4 parallel.pipeline=1 (with 2 data-parallel ranks); ") !=
                std::string::npos)
        << text;
  }
  try {
    require_layout(sizes(1, 8), needs(60));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "60 ranks do not divide by parallel.tensor 1 × parallel.pipeline 8 × parallel.context 1, which is 8. "
                 "What fits: parallel.tensor=1 parallel.pipeline=15 (with 4 data-parallel ranks); parallel.tensor=2 "
                 "parallel.pipeline=15 (with 2 data-parallel ranks); parallel.tensor=1 parallel.pipeline=30 (with 2 "
                 "data-parallel ranks); 32 ranks with the layout as it is; 64 ranks with the layout as it is");
  }
  EXPECT_NO_THROW(require_layout(sizes(2, 2), needs(8)));
}

TEST(RankShares, OneRankHoldsEverything) {
  for (const auto make : recipe_library()) {
    Recipe r = resolved(make());
    r.parallel = {};
    r.batch = {1, 1};
    const RankShare whole = rank_shares(r, 1).front();
    EXPECT_EQ(whole.parameters, r.model.parameter_count()) << r.name;
    EXPECT_EQ(whole.vocabulary, (IndexRange{0, r.model.vocab_size}));
  }
}

// A pipeline shares the model out; a tied table is there twice.
TEST(RankShares, StagesAddUp) {
  for (const auto make : recipe_library()) {
    Recipe r = resolved(make());
    r.parallel = sizes(1, 2);
    int64_t sum = 0;
    for (const RankShare& share : rank_shares(r, 2)) sum += share.parameters;
    const int64_t copy = r.model.tied_embeddings ? r.model.vocab_size * r.model.hidden : 0;
    EXPECT_EQ(sum, r.model.parameter_count() + copy) << r.name;
  }
}

// By hand: hidden 8, 4 heads of 2, 2 key/value heads, ffn 16, gated, RMSNorm, 2 layers, vocabulary 10,
// tensor 4.
TEST(RankShares, TensorPartsByHand) {
  Recipe r;
  r.model.hidden = 8;
  r.model.heads = 4;
  r.model.kv_heads = 2;
  r.model.ffn_hidden = 16;
  r.model.vocab_size = 10;
  r.data.mock = true;
  r.data.sequence_length = 4;
  r.batch = {8, 2};
  r.parallel = sizes(4, 2);
  const std::vector<RankShare> shares = rank_shares(resolved(r), 16);
  ASSERT_EQ(shares.size(), 16U);
  const RankShare& share = shares[15];  // tensor 3, data 1, pipeline 1
  EXPECT_EQ(share.at, (comm::MeshCoordinates{.tensor = 3, .data = 1, .pipeline = 1}));
  EXPECT_EQ(share.layers, (std::vector<parallel::LayerRange>{{1, 2}}));
  EXPECT_EQ(share.heads, (IndexRange{3, 4}));
  EXPECT_EQ(share.kv_heads, (IndexRange{1, 2}));
  EXPECT_EQ(share.ffn, (IndexRange{12, 16}));
  EXPECT_EQ(share.vocabulary, (IndexRange{9, 10}));  // of 12 padded rows: 3 each
  EXPECT_EQ(share.sequences, (IndexRange{2, 4}));
  EXPECT_FALSE(share.embedding);
  EXPECT_TRUE(share.output);
  // qkv 6 rows and proj 2 columns, gate and up 8 rows, down 4 columns, three norms, one row of the
  // vocabulary.
  EXPECT_EQ(share.parameters, 8 * (6 + 2 + 8 + 4) + 3 * 8 + 8);
  EXPECT_EQ(shares[5].kv_heads, (IndexRange{0, 1}));  // tensor 1 shares a key/value head with tensor 0
}

}  // namespace
}  // namespace longhaul
