// Bytes that ranks send, against the formulas of the papers. With tokens t of a micro-batch, width h, L layers, m
// micro-batches, n ranks of a group, 4 bytes an element, and for a ring the factor f = (n - 1) / n.
#include <gtest/gtest.h>

#include "longhaul/model/transformer.h"
#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"

namespace longhaul {
namespace {

constexpr int64_t kSteps = 2;

struct Sizes {
  int64_t tokens, hidden, layers, micro_batches, steps = kSteps;
  int64_t activation() const { return 4 * tokens * hidden; }
};

Recipe two_steps(Row row) {
  Recipe recipe = recipe_of(row);
  recipe.trainer.max_steps = kSteps;
  recipe.schedule.warmup_steps = 0;
  recipe.model.kv_heads = recipe.model.heads;  // shared heads have sums of their own
  return recipe;
}

Sizes sizes_of(const Recipe& r, int64_t replicas) {
  return {r.batch.micro * r.data.sequence_length, r.model.hidden, r.model.layers,
          r.batch.global / r.batch.micro / replicas};
}

struct Bytes {
  int64_t all = 0;       // of all units, in FP32, padding included
  int64_t gathered = 0;  // what a micro-batch gathers of it: layers and norm in forward and backward, tables once
};

Bytes bytes_of(const Recipe& recipe, int64_t replicas) {
  const Transformer model(recipe.model.resolved(), {.main_grads = false, .flat_multiple = replicas});
  Bytes bytes;
  const auto& units = model.parameters().units();
  for (size_t i = 0; i < units.size(); ++i) {
    const bool table = i == 0 || i + 1 == units.size();
    bytes.all += 4 * units[i].range.count();
    bytes.gathered += (table ? 4 : 8) * units[i].range.count();
  }
  return bytes;
}

TEST(Traffic, TensorParallelism) {
  for (const int64_t n : {2, 4}) {
    const Recipe recipe = two_steps({Family::llama, n});
    const Sizes s = sizes_of(recipe, 1);
    for (const auto& sent : train_in_layout(recipe, static_cast<int>(n)).sent) {
      // Two sums a layer forward and two backward, one for the embedding, one for the output layer's input gradient;
      // the loss: a maximum, a sum of exponentials and the label's logit for each token with a loss, in all
      // micro-batches but the one of each step that has none.
      const int64_t hidden_sums = (4 * s.layers + 2) * s.micro_batches * s.steps;
      const int64_t hidden_bytes = hidden_sums * 2 * (n - 1) * s.activation() / n;
      const int64_t loss_bytes = sent.tensor.bytes() - hidden_bytes;
      EXPECT_EQ(sent.tensor.all_reduce.calls, hidden_sums + 2 * (s.micro_batches - 1) * s.steps);
      EXPECT_EQ(sent.tensor.bytes(), sent.tensor.all_reduce.bytes);
      EXPECT_GT(loss_bytes, 0);
      EXPECT_LE(loss_bytes, 3 * s.micro_batches * s.steps * 2 * (n - 1) * 4 * s.tokens / n);
    }
  }
}

TEST(Traffic, SequenceParallelism) {
  const int64_t n = 4;
  const Recipe recipe = two_steps({Family::llama, n, true});
  const Sizes s = sizes_of(recipe, 1);
  for (const auto& sent : train_in_layout(recipe, n).sent) {
    const int64_t each = s.micro_batches * s.steps, bytes = (n - 1) * s.activation() / n;
    // Forward: two gathers and two scatters a layer, a scatter for the embedding, a gather before the output layer.
    // Backward: the same the other way round, and the two inputs of a layer gathered again.
    EXPECT_EQ(sent.tensor.all_gather.bytes, (6 * s.layers + 2) * each * bytes);
    EXPECT_EQ(sent.tensor.reduce_scatter.bytes, (4 * s.layers + 2) * each * bytes);
  }
}

// Chunks are more messages of the same bytes in all: but for the embedding's and the output layer's, which no product
// goes with.
TEST(Traffic, ChunksOfTokens) {
  const int64_t n = 4, chunks = 2;
  for (const bool sequence : {false, true}) {
    Recipe recipe = two_steps({Family::llama, n, sequence});
    const Sizes s = sizes_of(recipe, 1);
    const auto whole = train_in_layout(recipe, n).sent;
    recipe.parallel.tensor_chunks = chunks;
    const auto cut = train_in_layout(recipe, n).sent;
    const int64_t each = s.micro_batches * s.steps, sums = 4 * s.layers * each;
    for (size_t rank = 0; rank < whole.size(); ++rank) {
      const comm::Traffic &before = whole[rank].tensor, &after = cut[rank].tensor;
      EXPECT_EQ(after.bytes(), before.bytes());
      EXPECT_EQ(after.all_reduce.calls - before.all_reduce.calls, sequence ? 0 : sums * (chunks - 1));
      EXPECT_EQ(after.reduce_scatter.calls - before.reduce_scatter.calls, sequence ? sums * (chunks - 1) : 0);
      // Inputs that are gathered again for a weight gradient come whole.
      EXPECT_EQ(after.all_gather.calls - before.all_gather.calls, sequence ? sums * (chunks - 1) : 0);
    }
  }
}

TEST(Traffic, DataParallelism) {
  const int64_t n = 4;
  for (const GradientReduction reduction : {GradientReduction::fp32, GradientReduction::bf16}) {
    for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
      Recipe recipe = two_steps({Family::llama, 1, false, 1, 1, PipelineSchedule::one_f_one_b, n, sharding});
      recipe.parallel.gradient_reduction = reduction;
      const Bytes bytes = bytes_of(recipe, n);
      const int64_t ring = bytes.all * (n - 1) / n, m = sizes_of(recipe, n).micro_batches;
      EXPECT_EQ(m, 2);
      const int64_t reduced = reduction == GradientReduction::bf16 ? ring / 2 : ring;
      for (const auto& sent : train_in_layout(recipe, n).sent) {
        const int64_t numbers =
            (sharding == Sharding::none ? 2 : 3) * kSteps * 2 * (n - 1) * 8 / n;  // counts, loss, norm
        if (sharding == Sharding::none) {
          EXPECT_EQ(sent.data.all_reduce.bytes, kSteps * 2 * reduced + numbers);
          EXPECT_EQ(sent.data.reduce_scatter.bytes + sent.data.all_gather.bytes, 0);
          continue;
        }
        // The sums of each micro-batch where only a share of them is kept.
        EXPECT_EQ(sent.data.reduce_scatter.bytes, kSteps * (sharding == Sharding::optimizer ? 1 : m) * reduced);
        EXPECT_EQ(sent.data.all_gather.bytes,
                  kSteps * (sharding == Sharding::parameters ? m * bytes.gathered * (n - 1) / n : ring));
        EXPECT_EQ(sent.data.all_reduce.bytes, numbers);
      }
    }
  }
}

TEST(Traffic, PipelineParallelism) {
  for (const int64_t chunks : {1, 2}) {
    const int64_t n = 2;
    const Recipe recipe = two_steps({Family::llama, 1, false, n, chunks,
                                     chunks == 1 ? PipelineSchedule::one_f_one_b : PipelineSchedule::interleaved});
    const Sizes s = sizes_of(recipe, 1);
    const auto run = train_in_layout(recipe, n);
    int64_t total = 0;
    for (const auto& sent : run.sent) total += sent.pipeline.send.bytes;
    // Every border between virtual stages once forward and once back.
    EXPECT_EQ(total, 2 * (n * chunks - 1) * s.micro_batches * s.steps * s.activation());
  }
}

}  // namespace
}  // namespace longhaul
