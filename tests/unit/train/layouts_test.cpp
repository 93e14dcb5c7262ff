// The parity matrix: training in every layout is the training on one rank.
#include <gtest/gtest.h>

#include <ostream>

#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"

namespace longhaul {

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

namespace {

const LayoutRun& one_rank(Family family) {
  static std::map<Family, LayoutRun> runs;
  const auto found = runs.find(family);
  if (found != runs.end()) return found->second;
  return runs.emplace(family, train_in_layout(small_recipe(family), 1)).first->second;
}

class Layouts : public testing::TestWithParam<Row> {};

TEST_P(Layouts, TrainAsOneRankDoes) {
  const Row& row = GetParam();
  const LayoutRun& truth = one_rank(row.family);
  const LayoutRun run = train_in_layout(recipe_of(row), row.ranks());
  ASSERT_EQ(run.losses.size(), truth.losses.size());
  double loss = 0, norm = 0;
  for (size_t step = 0; step < truth.losses.size(); ++step) {
    loss = std::max(loss, std::abs(run.losses[step] / truth.losses[step] - 1));
    norm = std::max(norm, std::abs(run.norms[step] / truth.norms[step] - 1));
  }
  const double weights = relative_difference(truth.weights, run.weights);
  std::printf("%-34s %2d ranks   loss %.1e   gradient norm %.1e   weights %.1e\n", row.name, row.ranks(), loss, norm,
              weights);
  EXPECT_LT(loss, 1e-5);
  EXPECT_LT(norm, 1e-4);
  EXPECT_LT(weights, 1e-4);
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
