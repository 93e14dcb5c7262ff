// The matrix can fail: each of these mistakes, the kind that a layer makes when it forgets or doubles a communication,
// moves a training away from one rank's.
#include <gtest/gtest.h>

#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"
#include "unit/train/mutant_communicator.h"

namespace longhaul {
namespace {

using How = Mutation::How;

struct Mistake {
  const char* what;
  Row row;
  Mutation mutation;
};

constexpr auto k1f1b = PipelineSchedule::one_f_one_b;

const Mistake kMistakes[] = {
    {"the embedding's partial rows are not summed", {Family::llama, 2}, {"tensor", "all_reduce", 0}},
    {"the attention output's partial sums are not summed", {Family::llama, 2}, {"tensor", "all_reduce", 1}},
    {"an MLP's partial sums are summed twice", {Family::llama, 2}, {"tensor", "all_reduce", 2, How::twice}},
    {"the loss takes each rank's own maximum", {Family::llama, 2}, {"tensor", "all_reduce", 9}},
    {"the loss does not sum over the vocabulary", {Family::llama, 2}, {"tensor", "all_reduce", 10}},
    {"an input gradient is not summed", {Family::llama, 2}, {"tensor", "all_reduce", 12}},
    {"shared key/value heads keep partial gradients", {Family::llama, 4}, {"key/value sharers", "all_reduce", 0}},
    {"norms keep the gradient of their own tokens", {Family::llama, 2, true}, {"tensor", "all_reduce", 14}},
    {"tokens are gathered in the wrong order", {Family::llama, 2, true}, {"tensor", "all_gather", 3, How::rotate}},
    {"a rank keeps its neighbour's tokens", {Family::llama, 2, true}, {"tensor", "reduce_scatter", 1, How::twice}},
    {"a slice of tokens is not summed", {Family::llama, 2, true}, {"tensor", "reduce_scatter", 2}},
    {"a chunk of an MLP's partial sums is not summed",
     {.family = Family::llama, .tensor = 2, .chunks = 2},
     {"tensor", "all_reduce", 4}},
    {"a chunk of tokens is gathered in the wrong order",
     {.family = Family::llama, .tensor = 2, .sequence = true, .chunks = 2},
     {"tensor", "all_gather", 2, How::rotate}},
    {"a chunk of a slice of tokens is not summed",
     {.family = Family::llama, .tensor = 2, .sequence = true, .chunks = 2},
     {"tensor", "reduce_scatter", 2}},
    {"replicas keep their own gradients", {Family::llama, 1, false, 1, 1, k1f1b, 2}, {"data", "all_reduce", 0}},
    {"gradients are summed twice", {Family::llama, 1, false, 1, 1, k1f1b, 2}, {"data", "all_reduce", 1, How::twice}},
    {"a replica divides by its own valid tokens",
     {Family::llama, 1, false, 1, 1, k1f1b, 2},
     {"data", "all_reduce", 0, How::drop, comm::DataType::f64}},
    {"a shard of the gradient is not summed",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::optimizer},
     {"data", "reduce_scatter", 0}},
    {"the shards of the weights come in the wrong order",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::optimizer},
     {"data", "all_gather", 1, How::rotate}},
    {"a unit's weights stay those of the step before",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::optimizer},
     {"data", "all_gather", 9}},
    {"a unit's gradient of one micro-batch is not summed",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::gradients},
     {"data", "reduce_scatter", 8}},
    {"the share of one micro-batch's gradient is lost",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::gradients},
     {"data", "reduce_scatter", 9, How::lose}},
    {"a layer runs forward without the others' weights",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::parameters},
     {"data", "all_gather", 8, How::lose}},
    {"a layer runs backward with weights in the wrong order",
     {Family::llama, 1, false, 1, 1, k1f1b, 2, Sharding::parameters},
     {"data", "all_gather", 16, How::rotate}},
    {"the norm is the shard's own",
     {Family::llama, 2},
     {"tensor × pipeline", "all_reduce", 0, How::drop, comm::DataType::f64}},
    {"an activation is lost between stages", {Family::llama, 1, false, 2}, {"pipeline", "send", 3}},
    {"a gradient counts twice between stages", {Family::llama, 1, false, 2}, {"pipeline", "send", 5, How::twice}},
    {"a tied embedding's ends go their own ways", {Family::gpt, 1, false, 2}, {"embedding", "all_reduce", 0}},
};

TEST(Mutations, EachMakesTheMatrixFail) {
  for (const Mistake& mistake : kMistakes) {
    Recipe recipe = recipe_of(mistake.row);
    recipe.trainer.max_steps = 4;
    Recipe alone = small_recipe(mistake.row.family);
    alone.trainer.max_steps = 4;
    const LayoutRun truth = train_in_layout(alone, 1);
    std::atomic<bool> hit = false;
    const LayoutRun run =
        train_in_layout(recipe, mistake.row.ranks(),
                        {.wrap = [&](comm::Communicator& world) { return make_mutant(world, mistake.mutation, hit); }});
    EXPECT_TRUE(hit) << mistake.what << ": no such call";
    double worst = 0;
    for (size_t step = 0; step < truth.losses.size(); ++step) {
      const double loss = std::abs(run.losses[step] / truth.losses[step] - 1) / 1e-5;
      const double norm = std::abs(run.norms[step] / truth.norms[step] - 1) / 1e-4;
      // A mistake may well end in no number at all.
      worst = std::max({worst, std::isnan(loss) ? 1e9 : loss, std::isnan(norm) ? 1e9 : norm});
    }
    worst = std::max(worst, relative_difference(truth.weights, run.weights) / 1e-4);
    std::printf("%-55s %.1e times what the matrix allows\n", mistake.what, worst);
    EXPECT_GT(worst, 1) << mistake.what << " goes unnoticed";
  }
}

}  // namespace
}  // namespace longhaul
