// The parity matrix: training in every layout is the training on one rank.
#include <gtest/gtest.h>

#include <ostream>

#include "longhaul/recipes/library.h"
#include "unit/train/layout_run.h"

namespace longhaul {
namespace {

enum class Family { llama, gpt, nemotron };

struct Row {
  const char* name;
  Family family;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t pipeline = 1;
  int64_t virtual_pipeline = 1;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int64_t data = 1;
  Sharding sharding = Sharding::none;
  RecomputeMode recompute = RecomputeMode::none;
  int ranks() const { return static_cast<int>(tensor * pipeline * data); }
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

// Small, and awkward: fewer key/value heads than some rows have ranks, a vocabulary that no number of ranks divides,
// tied embeddings, dropout of every kind.
Recipe base(Family family) {
  Recipe r = recipes::llama_tiny();
  r.model.layers = 4;
  r.model.hidden = 32;
  r.model.heads = 8;
  r.model.kv_heads = family == Family::llama ? 2 : family == Family::nemotron ? 4 : 8;
  r.model.head_dim = 4;
  r.model.ffn_hidden = 48;
  r.model.vocab_size = 101;
  r.model.vocab_multiple = 2;
  r.model.max_positions = 64;
  if (family == Family::gpt) {
    r.model.position = PositionEmbedding::learned;
    r.model.normalization = Normalization::layer_norm;
    r.model.activation = Activation::gelu_tanh;
    r.model.gated = false;
    r.model.qkv_bias = r.model.linear_bias = true;
    r.model.tied_embeddings = true;
    r.model.hidden_dropout = r.model.attention_dropout = r.model.embedding_dropout = 0.1;
  } else if (family == Family::nemotron) {
    r.model.normalization = Normalization::layer_norm;
    r.model.norm_zero_centered = true;
    r.model.activation = Activation::squared_relu;
    r.model.gated = false;
    r.model.rotary_fraction = 0.5;
  }
  r.model.init_std = 0.1;
  r.data.sequence_length = 16;
  r.batch.global = 8;
  r.batch.micro = 1;
  r.optimizer.lr = 1e-2;
  // A key's bias has no gradient in exact arithmetic; with a smaller eps Adam would blow its rounding errors up.
  r.optimizer.eps = 1e-4;
  r.schedule.warmup_steps = 2;
  r.trainer.max_steps = 20;
  r.trainer.precision = Precision::fp32;
  r.loss.z_loss = 1e-3;
  return r;
}

Recipe recipe_of(const Row& row) {
  Recipe r = base(row.family);
  r.parallel.tensor = row.tensor;
  r.parallel.sequence = row.sequence;
  r.parallel.pipeline = row.pipeline;
  r.parallel.virtual_pipeline = row.virtual_pipeline;
  r.parallel.schedule = row.schedule;
  r.parallel.sharding = row.sharding;
  r.recompute.mode = row.recompute;
  return r;
}

const LayoutRun& one_rank(Family family) {
  static std::map<Family, LayoutRun> runs;
  const auto found = runs.find(family);
  if (found != runs.end()) return found->second;
  return runs.emplace(family, train_in_layout(base(family), 1)).first->second;
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
