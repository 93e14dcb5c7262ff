// The parity matrix: training in every layout is the training on one rank.
#include "longhaul/recipes/layouts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "ops/gemm_avx512.h"
#include "unit/train/expected_traffic.h"
#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"

namespace longhaul {

void PrintTo(const Row& row, std::ostream* out) {
  *out << name_of(row);
}

namespace {

// FP64 needs no long training to show a difference: its rounding is 1e-16.
Recipe steps_of(Recipe recipe, at::ScalarType dtype) {
  if (dtype == at::kDouble) recipe.trainer.max_steps = 6;
  return recipe;
}

const LayoutRun& one_rank(Family family, int64_t layers, at::ScalarType dtype) {
  static std::map<std::tuple<Family, int64_t, at::ScalarType>, LayoutRun> runs;
  const auto [entry, fresh] = runs.try_emplace({family, layers, dtype});
  if (fresh) entry->second = train_in_layout(steps_of(small_recipe(family, layers), dtype), 1, {.dtype = dtype});
  return entry->second;
}

// Bytes that each rank sends are those of the formulas, operation by operation.
void expect_textbook_traffic(const Recipe& wanted, int ranks, const LayoutRun& run,
                             const std::vector<HeldParameters>& held) {
  const Recipe recipe = resolved(wanted);
  const auto shares = rank_shares(recipe, ranks);
  const int64_t data = ranks / recipe.parallel.model_ranks();
  for (int rank = 0; rank < ranks; ++rank) {
    const LayoutRun::Sent &sent = run.sent[rank], expected = expected_traffic(recipe, shares[rank], data, held[rank]);
    const auto same = [&](const char* group, const comm::Traffic& ours, const comm::Traffic& theirs) {
      SCOPED_TRACE(fmt::format("rank {}, {}", rank, group));
      EXPECT_EQ(ours.all_reduce.bytes, theirs.all_reduce.bytes);
      EXPECT_EQ(ours.reduce_scatter.bytes, theirs.reduce_scatter.bytes);
      EXPECT_EQ(ours.all_gather.bytes, theirs.all_gather.bytes);
      EXPECT_EQ(ours.send.bytes, theirs.send.bytes);
      EXPECT_EQ(ours.bytes(), theirs.bytes());
    };
    same("tensor", sent.tensor, expected.tensor);
    same("data", sent.data, expected.data);
    same("pipeline", sent.pipeline, expected.pipeline);
    same("ends", sent.ends, expected.ends);
  }
}

struct Distance {
  double loss = 0, norm = 0, weights = 0;
};

Distance distance(const Row& row, at::ScalarType dtype) {
  const Recipe recipe = steps_of(recipe_of(row), dtype);
  const LayoutRun& truth = one_rank(row.family, recipe.model.layers, dtype);
  std::vector<HeldParameters> held(row.ranks());
  const LayoutRun run =
      train_in_layout(recipe, row.ranks(), {.dtype = dtype, .built = [&](int rank, ParameterStore& store) {
                                              held[rank] = HeldParameters(store, recipe.model.tied_embeddings);
                                            }});
  if (dtype == at::kFloat) expect_textbook_traffic(recipe, row.ranks(), run, held);
  Distance worst{0, 0, relative_difference(truth.weights, run.weights)};
  EXPECT_EQ(run.losses.size(), truth.losses.size());
  for (size_t step = 0; step < truth.losses.size(); ++step) {
    worst.loss = std::max(worst.loss, relative_difference(truth.losses[step], run.losses[step]));
    worst.norm = std::max(worst.norm, relative_difference(truth.norms[step], run.norms[step]));
  }
  return worst;
}

class Layouts : public testing::TestWithParam<Row> {
 protected:
  static bool markdown() { return std::getenv("LONGHAUL_PRINT_MATRIX") != nullptr; }
  static void SetUpTestSuite() {
    if (!markdown()) return;
    std::puts("| layout | ranks | FP32: loss | norm | weights | FP64: loss | norm | weights |");
    std::puts("|---|---|---|---|---|---|---|---|");
  }
};

// Twenty steps in FP32, as users train; six in FP64, where rounding is no excuse. With
// LONGHAUL_PRINT_MATRIX=1 the lines that begin with | are the table of docs/parallelism.md.
TEST_P(Layouts, TrainAsOneRankDoes) {
  const Row& row = GetParam();
  const Distance single = distance(row, at::kFloat), twice = distance(row, at::kDouble);
  const char* line = markdown()
                         ? "| %s | %d | %.1e | %.1e | %.1e | %.1e | %.1e | %.1e |\n"
                         : "%-36s %2d ranks  FP32: loss %.1e  norm %.1e  weights %.1e   FP64: %.1e  %.1e  %.1e\n";
  std::printf(line, name_of(row).c_str(), row.ranks(), single.loss, single.norm, single.weights, twice.loss, twice.norm,
              twice.weights);
  EXPECT_LT(single.loss, 1e-5);
  EXPECT_LT(single.norm, 1e-4);
  EXPECT_LT(single.weights, 1e-4);
  EXPECT_LT(twice.loss, 1e-11);
  EXPECT_LT(twice.norm, 1e-11);
  EXPECT_LT(twice.weights, 1e-11);
}

// Chunks of tokens change which rows a product has, not how a row's numbers are summed.
TEST(TensorChunks, GiveTheSameBits) {
  if (!ops::avx512::supported(false)) GTEST_SKIP() << "only our own products promise an order of their sums";
  const Row rows[] = {
      {.family = Family::llama, .tensor = 2},
      {.family = Family::gpt, .tensor = 4, .sequence = true, .recompute = RecomputeMode::full},
      {.family = Family::nemotron,
       .tensor = 2,
       .sequence = true,
       .pipeline = 2,
       .data = 2,
       .sharding = Sharding::parameters},
  };
  for (Row row : rows) {
    SCOPED_TRACE(name_of(row));
    const LayoutRun whole = train_in_layout(recipe_of(row), row.ranks());
    for (const int64_t chunks : {2, 3, 16}) {
      row.chunks = chunks;
      const LayoutRun cut = train_in_layout(recipe_of(row), row.ranks());
      EXPECT_EQ(cut.losses, whole.losses);
      EXPECT_EQ(cut.norms, whole.norms);
      EXPECT_EQ(relative_difference(whole.weights, cut.weights), 0);
    }
  }
}

constexpr auto kInterleaved = PipelineSchedule::interleaved;
constexpr auto kGpipe = PipelineSchedule::gpipe;
constexpr auto kZeroBubble = PipelineSchedule::zero_bubble;
constexpr auto kZero1 = Sharding::optimizer, kZero2 = Sharding::gradients, kZero3 = Sharding::parameters;
constexpr auto kSelective = RecomputeMode::selective;
constexpr auto kFull = RecomputeMode::full;

// Every two values that fit together are together in some row; see EveryPairIsCovered.
const Row kMatrix[] = {
    {.family = Family::llama, .tensor = 2},
    {.family = Family::llama, .tensor = 4},
    {.family = Family::llama, .tensor = 2, .sequence = true},
    {.family = Family::llama, .tensor = 4, .sequence = true},
    {.family = Family::llama, .tensor = 8, .sequence = true},
    {.family = Family::llama, .data = 2},
    {.family = Family::llama, .data = 4, .sharding = kZero1},
    {.family = Family::llama, .data = 8, .sharding = kZero1, .recompute = kFull},
    {.family = Family::llama, .schedule = kGpipe, .data = 2, .recompute = kSelective},
    {.family = Family::llama, .pipeline = 2},
    {.family = Family::llama, .pipeline = 3},
    {.family = Family::llama, .pipeline = 4},
    {.family = Family::llama, .pipeline = 2, .schedule = kGpipe},
    {.family = Family::llama, .pipeline = 2, .virtual_pipeline = 2, .schedule = kInterleaved},
    {.family = Family::llama,
     .pipeline = 4,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero1},
    {.family = Family::llama, .tensor = 2, .pipeline = 4, .data = 2, .sharding = kZero1, .recompute = kSelective},
    {.family = Family::llama, .tensor = 2, .sequence = true, .pipeline = 2, .data = 2, .sharding = kZero1},
    {.family = Family::llama,
     .tensor = 4,
     .sequence = true,
     .pipeline = 2,
     .data = 2,
     .sharding = kZero1,
     .recompute = kFull},
    {.family = Family::llama,
     .tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .recompute = kSelective},
    {.family = Family::gpt, .tensor = 2},
    {.family = Family::gpt, .tensor = 4, .sequence = true},
    {.family = Family::gpt, .tensor = 8, .sequence = true, .data = 2},
    {.family = Family::gpt, .data = 2, .sharding = kZero1},
    {.family = Family::gpt, .schedule = kGpipe, .data = 2, .sharding = kZero1, .recompute = kFull},
    {.family = Family::gpt, .pipeline = 2},
    {.family = Family::gpt, .pipeline = 3, .data = 2},
    {.family = Family::gpt, .pipeline = 4},
    {.family = Family::gpt, .pipeline = 4, .recompute = kFull},
    {.family = Family::gpt, .pipeline = 2, .virtual_pipeline = 2, .schedule = kInterleaved},
    {.family = Family::gpt, .tensor = 2, .data = 4, .sharding = kZero1},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .data = 2,
     .sharding = kZero1,
     .recompute = kSelective},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero1,
     .recompute = kFull},
    {.family = Family::gpt, .tensor = 4, .pipeline = 4},
    {.family = Family::gpt, .tensor = 4, .sequence = true, .pipeline = 4, .schedule = kGpipe},
    {.family = Family::nemotron, .tensor = 2, .sequence = true},
    {.family = Family::nemotron, .tensor = 8},
    {.family = Family::nemotron, .data = 2, .recompute = kFull},
    {.family = Family::nemotron, .tensor = 2, .pipeline = 2, .data = 2, .sharding = kZero1},
    {.family = Family::nemotron, .tensor = 2, .pipeline = 2, .virtual_pipeline = 2, .schedule = kInterleaved},
    {.family = Family::nemotron,
     .tensor = 2,
     .pipeline = 4,
     .schedule = kGpipe,
     .sharding = kZero1,
     .recompute = kSelective},
    {.family = Family::nemotron, .tensor = 4, .sequence = true, .pipeline = 2, .schedule = kGpipe, .recompute = kFull},
    {.family = Family::nemotron,
     .tensor = 4,
     .sequence = true,
     .pipeline = 4,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .sharding = kZero1,
     .recompute = kSelective},
    {.family = Family::nemotron, .pipeline = 4, .data = 2},
    {.family = Family::nemotron, .tensor = 4, .sequence = true, .data = 4, .sharding = kZero1},
    {.family = Family::llama, .data = 2, .sharding = kZero2},
    {.family = Family::llama, .data = 4, .sharding = kZero3},
    {.family = Family::llama, .tensor = 2, .sequence = true, .data = 2, .sharding = kZero3, .recompute = kSelective},
    {.family = Family::llama, .tensor = 4, .pipeline = 2, .data = 2, .sharding = kZero2, .recompute = kFull},
    {.family = Family::llama, .pipeline = 4, .schedule = kGpipe, .data = 2, .sharding = kZero3},
    {.family = Family::gpt, .data = 8, .sharding = kZero3, .recompute = kFull},
    {.family = Family::gpt, .schedule = kGpipe, .data = 2, .sharding = kZero2, .recompute = kSelective},
    {.family = Family::gpt, .schedule = kGpipe, .data = 4, .sharding = kZero3},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero3},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 4,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero2},
    {.family = Family::nemotron, .tensor = 4, .pipeline = 2, .data = 2, .sharding = kZero3},
    {.family = Family::nemotron, .tensor = 2, .data = 4, .sharding = kZero2},
    {.family = Family::nemotron, .sharding = kZero2},
    {.family = Family::nemotron, .sharding = kZero3},
    {.family = Family::llama, .pipeline = 2, .schedule = kZeroBubble},
    {.family = Family::llama,
     .tensor = 2,
     .sequence = true,
     .pipeline = 4,
     .schedule = kZeroBubble,
     .data = 2,
     .sharding = kZero1},
    {.family = Family::gpt, .tensor = 2, .pipeline = 3, .schedule = kZeroBubble, .data = 2, .recompute = kFull},
    {.family = Family::nemotron,
     .tensor = 4,
     .sequence = true,
     .pipeline = 4,
     .schedule = kZeroBubble,
     .recompute = kSelective},
    {.family = Family::llama, .tensor = 2, .chunks = 3},
    {.family = Family::llama,
     .tensor = 4,
     .sequence = true,
     .data = 2,
     .sharding = kZero3,
     .recompute = kFull,
     .chunks = 2},
    {.family = Family::gpt, .tensor = 2, .sequence = true, .pipeline = 2, .recompute = kSelective, .chunks = 3},
    {.family = Family::nemotron, .tensor = 2, .sequence = true, .pipeline = 2, .schedule = kZeroBubble, .chunks = 4},
    {.family = Family::llama,
     .tensor = 2,
     .pipeline = 2,
     .data = 2,
     .sharding = kZero1,
     .order = "tensor-context-expert-pipeline-data"},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero3,
     .order = "data-pipeline-tensor-context-expert"},
    {.family = Family::gpt, .tensor = 2, .pipeline = 3, .data = 2, .order = "pipeline-data-expert-context-tensor"},
    {.family = Family::llama, .pipeline = 3, .split = {.first_stage = 3, .last_stage = 2}, .layers = 6},
    {.family = Family::gpt,
     .tensor = 2,
     .pipeline = 2,
     .virtual_pipeline = 2,
     .schedule = kInterleaved,
     .data = 2,
     .sharding = kZero1,
     .split = {.last_stage = 2},
     .layers = 6},
    // The first stage has the embedding alone, the last one nothing but the final norm and the loss.
    {.family = Family::nemotron, .pipeline = 4, .split = {.count_embedding = true, .count_loss = true}, .layers = 2},
    {.family = Family::gpt,
     .tensor = 2,
     .sequence = true,
     .pipeline = 4,
     .schedule = kZeroBubble,
     .split = {.count_embedding = true, .count_loss = true},
     .layers = 2},
};

// Where a row stands on each axis of the matrix.
using Place = std::vector<int64_t>;

Place place_of(const Row& row) {
  return {static_cast<int64_t>(row.family),
          row.tensor,
          row.sequence ? 1 : 0,
          row.pipeline,
          row.data,
          static_cast<int64_t>(row.schedule),
          static_cast<int64_t>(row.sharding),
          static_cast<int64_t>(row.recompute)};
}

using Pair = std::tuple<size_t, int64_t, size_t, int64_t>;

void add_pairs(const Place& place, std::map<Pair, std::string>& pairs, const std::string& name) {
  for (size_t a = 0; a < place.size(); ++a) {
    for (size_t b = a + 1; b < place.size(); ++b) pairs.try_emplace({a, place[a], b, place[b]}, name);
  }
}

std::vector<Row> all_rows() {
  std::vector<Row> rows{{}};
  const auto times = [&](const auto& values, auto set) {
    std::vector<Row> more;
    for (const Row& row : rows) {
      for (const auto value : values) set(more.emplace_back(row), value);
    }
    rows = std::move(more);
  };
  const std::array kSizes{1, 2, 4};
  const std::array kTwo{1, 2};
  times(std::array{Family::llama, Family::gpt, Family::nemotron}, [](Row& row, Family v) { row.family = v; });
  times(kSizes, [](Row& row, int v) { row.tensor = v; });
  times(std::array{false, true}, [](Row& row, bool v) { row.sequence = v; });
  times(kSizes, [](Row& row, int v) { row.pipeline = v; });
  times(std::array{PipelineSchedule::one_f_one_b, kGpipe, kInterleaved}, [](Row& row, PipelineSchedule v) {
    row.schedule = v;
    row.virtual_pipeline = v == kInterleaved ? 2 : 1;
  });
  times(kTwo, [](Row& row, int v) { row.data = v; });
  times(std::array{Sharding::none, kZero1, kZero2, kZero3}, [](Row& row, Sharding v) { row.sharding = v; });
  times(std::array{RecomputeMode::none, kSelective, kFull}, [](Row& row, RecomputeMode v) { row.recompute = v; });
  return rows;
}

bool feasible(const Row& row) {
  const Recipe recipe = recipe_of(row);
  return row.ranks() <= 16 && layout_problems(recipe.parallel, layout_needs(recipe, row.ranks())).empty();
}

TEST(LayoutMatrix, EveryPairIsCovered) {
  std::map<Pair, std::string> wanted, covered;
  for (const Row& row : all_rows()) {
    if (feasible(row)) add_pairs(place_of(row), wanted, name_of(row));
  }
  for (const Row& row : kMatrix) add_pairs(place_of(row), covered, name_of(row));
  EXPECT_GT(wanted.size(), 220U);
  EXPECT_GE(std::size(kMatrix), 50U);
  for (const auto& [pair, example] : wanted) {
    EXPECT_TRUE(covered.contains(pair)) << "axes " << std::get<0>(pair) << " and " << std::get<2>(pair)
                                        << " need a row like " << example;
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, Layouts, testing::ValuesIn(kMatrix), [](const auto& info) {
  std::string name = name_of(info.param);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace longhaul
