// Four places where every framework for parallel training has gone wrong at least once: the global norm, the
// loss's divisor, the random numbers, and a vocabulary that the ranks do not divide.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "longhaul/core/random.h"
#include "longhaul/model/initialise.h"
#include "longhaul/model/parameter_layout.h"
#include "longhaul/ops/attention.h"
#include "longhaul/ops/dropout.h"
#include "train/global_step.h"
#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"

namespace longhaul {
namespace {

constexpr double kExact = 1e-11;  // of FP64

// What a rank computes, it computes with one thread.
class FourPlaces : public testing::Test {
 protected:
  FourPlaces() { at::set_num_threads(1); }
  ~FourPlaces() override { at::set_num_threads(threads_); }

 private:
  const int threads_ = at::get_num_threads();
};

// One step of one rank, without an optimiser: the loss, and each logical parameter's gradient, in FP64.
struct Gradients {
  double loss = 0;
  std::map<std::string, at::Tensor> by_name;
  double norm() const {
    double squares = 0;
    for (const auto& [name, gradient] : by_name) squares += gradient.square().sum().item<double>();
    return std::sqrt(squares);
  }
};

Gradients gradients_of(const Recipe& wanted, const std::vector<Batch>& batches) {
  Recipe recipe = resolved(wanted);
  recipe.parallel = {};
  recipe.recompute = {};
  const ParallelLayout layout(recipe, nullptr);
  Transformer model(recipe.model, {.dtype = at::kDouble});
  initialise_parameters(model.parameters().parameters(), static_cast<uint64_t>(recipe.trainer.seed));
  Gradients gradients{GlobalStep(model, layout, recipe).run(1, batches).item<double>(), {}};
  model.parameters().collect_autograd_gradients();
  for (const Parameter& p : model.parameters().parameters()) {
    gradients.by_name[p.name] = p.main_grad.narrow(0, 0, p.shard.global_shape[0]);
  }
  return gradients;
}

Recipe one_step(const Row& row) {
  Recipe recipe = recipe_of(row);
  recipe.trainer.max_steps = 1;
  recipe.schedule.warmup_steps = 0;
  return recipe;
}

// Tied (in two stages), replicated (norms, biases, positions), sharded, key/value heads that ranks share.
TEST_F(FourPlaces, EachLogicalParameterCountsOnceInTheGlobalNorm) {
  const Row rows[] = {
      {.family = Family::gpt, .pipeline = 2},
      {.family = Family::gpt, .tensor = 2, .pipeline = 4, .data = 2, .sharding = Sharding::optimizer},
      {.family = Family::gpt, .tensor = 4, .sequence = true},
      {.family = Family::llama, .tensor = 8},
      {.family = Family::llama, .tensor = 4, .sequence = true, .pipeline = 2, .data = 2},
      {.family = Family::llama, .data = 4, .sharding = Sharding::optimizer},
      {.family = Family::nemotron, .tensor = 8, .data = 2, .sharding = Sharding::optimizer},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(name_of(row));
    const Recipe recipe = one_step(row);
    const Gradients truth = gradients_of(recipe, batches_of(recipe, 0));
    const LayoutRun run = train_in_layout(recipe, row.ranks(), {.dtype = at::kDouble});
    EXPECT_LT(relative_difference(truth.norm(), run.norms[0]), kExact);
    for (const auto& [name, gradient] : truth.by_name) {
      // Counted twice, it would show.
      EXPECT_GT(gradient.norm().item<double>() / truth.norm(), 1e-4) << name;
    }
  }
}

double token_losses(const Recipe& wanted, const std::vector<Batch>& batches) {
  c10::AutoGradMode no_grad(false);
  const Recipe recipe = resolved(wanted);
  Transformer model(recipe.model, {.dtype = at::kDouble, .main_grads = false});
  initialise_parameters(model.parameters().parameters(), static_cast<uint64_t>(recipe.trainer.seed));
  double sum = 0;
  for (const Batch& batch : batches) {
    LayerContext context;
    context.cu_seqlens = batch.cu_seqlens;
    const auto tensor = [](const auto& values, at::ScalarType type) {
      at::Tensor t = at::empty({static_cast<int64_t>(values.size())}, at::TensorOptions().dtype(type));
      std::copy(values.begin(), values.end(),
                static_cast<typename std::decay_t<decltype(values)>::value_type*>(t.data_ptr()));
      return t;
    };
    const at::Tensor weights = tensor(batch.loss_mask, at::kFloat);
    const auto result =
        model.loss(tensor(batch.tokens, at::kLong), tensor(batch.labels, at::kLong), weights, context, {});
    sum += (result.token_losses * weights).sum().item<double>();
  }
  return sum;
}

int64_t valid_tokens(const std::vector<Batch>& batches) {
  double valid = 0;
  for (const Batch& batch : batches) valid += std::accumulate(batch.loss_mask.begin(), batch.loss_mask.end(), 0.0);
  return static_cast<int64_t>(valid);
}

// A rank that divides by its own count, or a mean of the ranks' means, would show: one rank has no valid
// token at all, the others have unequal numbers.
TEST_F(FourPlaces, TheLossIsDividedByTheValidTokensOfAllRanks) {
  for (const int64_t data : {2, 4}) {
    Recipe recipe = one_step({.family = Family::llama, .data = data});
    recipe.batch.global = data;
    EXPECT_EQ(valid_tokens(batches_of(recipe, 0, 1, data)), 0) << "rank 1 holds none";
    const std::vector<Batch> all = batches_of(recipe, 0);
    ASSERT_GT(valid_tokens(all), 0);
    const double by_hand = token_losses(recipe, all) / static_cast<double>(valid_tokens(all));
    const LayoutRun run = train_in_layout(recipe, static_cast<int>(data), {.dtype = at::kDouble});
    // The weights of the tokens, 1 / count, are FP32.
    EXPECT_LT(relative_difference(by_hand, run.losses[0]), 1e-7);
    EXPECT_LT(relative_difference(gradients_of(recipe, all).norm(), run.norms[0]), kExact);
    if (data > 2) continue;
    // The rank without valid tokens adds nothing: the other's sample alone is the whole batch.
    EXPECT_LT(relative_difference(gradients_of(recipe, {all[0]}).norm(), run.norms[0]), kExact);
  }
}

TEST_F(FourPlaces, ABatchWithoutAnyValidTokenHasNoLossAndNoGradient) {
  const Recipe recipe = one_step({.family = Family::gpt});
  std::vector<Batch> batches = batches_of(recipe, 0);
  for (Batch& batch : batches) std::fill(batch.loss_mask.begin(), batch.loss_mask.end(), 0.0F);
  const Gradients gradients = gradients_of(recipe, batches);
  EXPECT_EQ(gradients.loss, 0);
  EXPECT_EQ(gradients.norm(), 0);
}

// What a layout starts from, against the streams that the names of the parameters name, drawn whole.
TEST_F(FourPlaces, InitialWeightsAreTheSameBitsInAnyLayout) {
  const Row rows[] = {
      {.family = Family::llama},
      {.family = Family::llama, .tensor = 8, .pipeline = 2, .sharding = Sharding::optimizer},
      {.family = Family::llama,
       .tensor = 2,
       .sequence = true,
       .pipeline = 2,
       .data = 4,
       .sharding = Sharding::optimizer},
      {.family = Family::gpt, .tensor = 4, .pipeline = 4},
      {.family = Family::gpt,
       .tensor = 2,
       .pipeline = 2,
       .virtual_pipeline = 2,
       .schedule = PipelineSchedule::interleaved,
       .data = 2},
      {.family = Family::nemotron, .tensor = 8, .data = 2, .sharding = Sharding::optimizer},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(name_of(row));
    Recipe recipe = one_step(row);
    recipe.optimizer.lr = recipe.optimizer.min_lr = 0;  // the step moves nothing
    const LayoutRun run = train_in_layout(recipe, row.ranks());
    const auto layout = parameter_layout(recipe.model.resolved());
    ASSERT_EQ(run.weights.size(), layout.size());
    for (const ParameterSpec& spec : layout) {
      at::Tensor drawn = at::zeros(spec.shard.global_shape);
      if (spec.shard.init == Init::ones) drawn.fill_(1);
      if (spec.shard.init == Init::normal) {
        RandomStream(static_cast<uint64_t>(recipe.trainer.seed), spec.name)
            .fill_normal(drawn.data_ptr<float>(), 0, static_cast<uint64_t>(drawn.numel()), 0,
                         static_cast<float>(spec.shard.init_std));
      }
      EXPECT_TRUE(run.weights.at(spec.name).equal(drawn)) << spec.name;
    }
  }
}

// A rank that holds tokens [begin, end) draws what one rank draws there.
TEST_F(FourPlaces, DropoutMasksAreTheSameBitsInAnySliceOfTokens) {
  const int64_t tokens = 24, hidden = 20;
  const ops::DropoutKey key{.seed = 5, .site = "decoder.layers.3.mlp", .place = ops::dropout_place(9, 48)};
  const at::Tensor x = at::ones({tokens, hidden});
  const at::Tensor whole = ops::dropout(x, 0.25, key);
  const RandomStream stream(key.seed, key.site);
  for (int64_t i = 0; i < tokens * hidden; ++i) {
    const bool kept = stream.uniform(48 * hidden + i, 9) >= 0.25F;
    ASSERT_EQ(whole.data_ptr<float>()[i] != 0, kept) << i;
  }
  for (const int64_t ranks : {2, 3, 4, 8}) {
    const int64_t held = tokens / ranks;
    for (int64_t begin = 0; begin < tokens; begin += held) {
      ops::DropoutKey slice = key;
      slice.first_token += static_cast<uint64_t>(begin);
      EXPECT_TRUE(ops::dropout(x.narrow(0, begin, held), 0.25, slice).equal(whole.narrow(0, begin, held)));
    }
  }
}

// A rank that holds some of the heads, or another micro-batch, draws what one rank draws there.
TEST_F(FourPlaces, AttentionMasksAreTheSameBitsForAnySliceOfHeadsAndDocuments) {
  const int64_t tokens = 12, heads = 8, head_dim = 4;
  at::Tensor qkv = at::empty({tokens, heads, 3, head_dim});
  RandomStream(3, "qkv").fill_normal(qkv.data_ptr<float>(), 0, static_cast<uint64_t>(qkv.numel()), 0, 1);
  ops::AttentionOptions options;
  options.heads = options.kv_heads = heads;
  options.head_dim = head_dim;
  options.cu_seqlens = {0, 5, 12};
  options.dropout = 0.3;
  options.dropout_key = {.seed = 5, .site = "probabilities", .place = ops::dropout_place(2, 24)};
  const at::Tensor whole = ops::attention(qkv.view({tokens, -1}), options).view({tokens, heads, head_dim});
  for (const int64_t ranks : {2, 4, 8}) {
    ops::AttentionOptions mine = options;
    mine.heads = mine.kv_heads = heads / ranks;
    for (mine.first_head = 0; mine.first_head < heads; mine.first_head += mine.heads) {
      const at::Tensor part = qkv.narrow(1, mine.first_head, mine.heads).contiguous().view({tokens, -1});
      const at::Tensor out = ops::attention(part, mine).view({tokens, mine.heads, head_dim});
      EXPECT_TRUE(out.equal(whole.narrow(1, mine.first_head, mine.heads))) << ranks << " ranks";
    }
  }
  ops::AttentionOptions second = options;
  second.cu_seqlens = {0, 7};
  second.dropout_key.first_token += 5;
  EXPECT_TRUE(ops::attention(qkv.narrow(0, 5, 7).reshape({7, -1}), second)
                  .view({7, heads, head_dim})
                  .equal(whole.narrow(0, 5, 7)));
}

// GPT-2's vocabulary: padding rows on the last rank take no part. After one step the second moment is the
// squared gradient, times a constant.
TEST_F(FourPlaces, AVocabularyThatDoesNotDivideLeavesLossAndGradientsUnchanged) {
  for (const Family family : {Family::llama, Family::gpt}) {
    Recipe recipe = one_step({.family = family});
    recipe.model.layers = 1;
    recipe.model.hidden = 8;
    recipe.model.vocab_size = 50257;
    recipe.model.vocab_multiple = 1;
    recipe.batch.global = 2;
    recipe.optimizer.clip_norm = 0;
    const LayoutRun truth = train_in_layout(recipe, 1, {.dtype = at::kDouble});
    for (const int64_t tensor : {2, 4}) {
      for (const int64_t multiple : {1, 128}) {
        SCOPED_TRACE(fmt::format("{} ranks, multiples of {}", tensor, multiple));
        recipe.model.vocab_multiple = multiple;
        recipe.parallel.tensor = tensor;
        const LayoutRun run = train_in_layout(recipe, static_cast<int>(tensor), {.dtype = at::kDouble});
        EXPECT_LT(relative_difference(truth.losses[0], run.losses[0]), kExact);
        EXPECT_LT(relative_difference(truth.norms[0], run.norms[0]), kExact);
        EXPECT_LT(relative_difference(truth.moments2, run.moments2), kExact);
        EXPECT_LT(relative_difference(truth.weights, run.weights), kExact);
      }
    }
  }
}

}  // namespace
}  // namespace longhaul
