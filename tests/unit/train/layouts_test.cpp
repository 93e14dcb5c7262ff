// The parity matrix: training in every layout is the training on one rank.
#include <gtest/gtest.h>

#include <ostream>

#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"

namespace longhaul {

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

namespace {

// FP64 needs no long training to show a difference: its rounding is 1e-16.
Recipe steps_of(Recipe recipe, at::ScalarType dtype) {
  if (dtype == at::kDouble) recipe.trainer.max_steps = 6;
  return recipe;
}

const LayoutRun& one_rank(Family family, at::ScalarType dtype) {
  static std::map<std::pair<Family, at::ScalarType>, LayoutRun> runs;
  const std::pair key{family, dtype};
  const auto found = runs.find(key);
  if (found != runs.end()) return found->second;
  return runs.emplace(key, train_in_layout(steps_of(small_recipe(family), dtype), 1, {}, dtype)).first->second;
}

struct Distance {
  double loss = 0, norm = 0, weights = 0;
};

Distance distance(const Row& row, at::ScalarType dtype) {
  const LayoutRun& truth = one_rank(row.family, dtype);
  const LayoutRun run = train_in_layout(steps_of(recipe_of(row), dtype), row.ranks(), {}, dtype);
  Distance worst{0, 0, relative_difference(truth.weights, run.weights)};
  EXPECT_EQ(run.losses.size(), truth.losses.size());
  for (size_t step = 0; step < truth.losses.size(); ++step) {
    worst.loss = std::max(worst.loss, std::abs(run.losses[step] / truth.losses[step] - 1));
    worst.norm = std::max(worst.norm, std::abs(run.norms[step] / truth.norms[step] - 1));
  }
  return worst;
}

class Layouts : public testing::TestWithParam<Row> {};

// Twenty steps in FP32, as users train; six in FP64, where rounding is no excuse.
TEST_P(Layouts, TrainAsOneRankDoes) {
  const Row& row = GetParam();
  const Distance single = distance(row, at::kFloat), twice = distance(row, at::kDouble);
  std::printf("%-34s %2d ranks  FP32: loss %.1e  norm %.1e  weights %.1e   FP64: %.1e  %.1e  %.1e\n", row.name,
              row.ranks(), single.loss, single.norm, single.weights, twice.loss, twice.norm, twice.weights);
  EXPECT_LT(single.loss, 1e-5);
  EXPECT_LT(single.norm, 1e-4);
  EXPECT_LT(single.weights, 1e-4);
  EXPECT_LT(twice.loss, 1e-11);
  EXPECT_LT(twice.norm, 1e-11);
  EXPECT_LT(twice.weights, 1e-11);
}

constexpr auto k1f1b = PipelineSchedule::one_f_one_b;
constexpr auto kInterleaved = PipelineSchedule::interleaved;
constexpr auto kGpipe = PipelineSchedule::gpipe;
constexpr auto kZero1 = Sharding::optimizer;
constexpr auto kZero0 = Sharding::none;

INSTANTIATE_TEST_SUITE_P(
    Matrix, Layouts,
    testing::Values(
        Row{"llama tp2", Family::llama, 2}, Row{"llama tp4 (kv shared)", Family::llama, 4},
        Row{"llama tp2 sp", Family::llama, 2, true}, Row{"llama tp4 sp", Family::llama, 4, true},
        Row{"llama tp8 sp", Family::llama, 8, true},
        Row{"llama dp2", Family::llama, 1, false, 1, 1, k1f1b, 2},
        Row{"llama dp4 zero1", Family::llama, 1, false, 1, 1, k1f1b, 4, kZero1},
        Row{"llama pp2", Family::llama, 1, false, 2}, Row{"llama pp4", Family::llama, 1, false, 4},
        Row{"llama pp2 gpipe", Family::llama, 1, false, 2, 1, kGpipe},
        Row{"llama pp2 interleaved", Family::llama, 1, false, 2, 2, kInterleaved},
        Row{"llama tp2 sp pp2 dp2 zero1", Family::llama, 2, true, 2, 1, k1f1b, 2, kZero1},
        Row{"llama tp4 sp pp2 dp2 zero1 full", Family::llama, 4, true, 2, 1, k1f1b, 2, kZero1, RecomputeMode::full},
        Row{"llama tp2 sp pp2 vp2 dp2", Family::llama, 2, true, 2, 2, kInterleaved, 2, kZero0, RecomputeMode::selective},
        Row{"gpt tp2", Family::gpt, 2}, Row{"gpt tp4 sp", Family::gpt, 4, true},
        Row{"gpt dp2 zero1", Family::gpt, 1, false, 1, 1, k1f1b, 2, kZero1},
        Row{"gpt pp2 (tied)", Family::gpt, 1, false, 2}, Row{"gpt pp4 (tied)", Family::gpt, 1, false, 4},
        Row{"gpt pp2 interleaved", Family::gpt, 1, false, 2, 2, kInterleaved},
        Row{"gpt tp2 sp pp2 dp2 zero1", Family::gpt, 2, true, 2, 1, k1f1b, 2, kZero1, RecomputeMode::selective},
        Row{"gpt tp2 sp pp2 vp2 dp2 full", Family::gpt, 2, true, 2, 2, kInterleaved, 2, kZero1, RecomputeMode::full},
        Row{"gpt tp4 pp4", Family::gpt, 4, false, 4},
        Row{"nemotron tp2 sp", Family::nemotron, 2, true}, Row{"nemotron tp8", Family::nemotron, 8},
        Row{"nemotron tp2 pp2 dp2 zero1", Family::nemotron, 2, false, 2, 1, k1f1b, 2, kZero1},
        Row{"nemotron tp4 sp pp2 gpipe", Family::nemotron, 4, true, 2, 1, kGpipe, 1, kZero0, RecomputeMode::full},
        Row{"nemotron pp4 dp2", Family::nemotron, 1, false, 4, 1, k1f1b, 2}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace longhaul
