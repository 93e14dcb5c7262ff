// Micro-batches that are recorded and replayed give the numbers of those that are not. On the CPU a recording is the
// function itself, called again: it sees what a graph sees, the tensors and arguments of the time of the recording.
#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "longhaul/core/error.h"
#include "longhaul/model/layer_spec.h"
#include "longhaul/ops/attention.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/recipes/library.h"
#include "ops/device_borders.h"
#include "train/global_step.h"
#include "unit/train/layout_run.h"

namespace longhaul {
namespace {

struct Counts {
  int warm_ups = 0, records = 0, replays = 0;
};

class FakeGraph final : public ops::DeviceGraph {
 public:
  explicit FakeGraph(Counts& counts) : counts_(counts) {}
  void warm_up(const std::function<void()>& work) override {
    ++counts_.warm_ups;
    work();
  }
  void record(const std::function<void()>& work) override {
    ++counts_.records;
    work_ = work;
  }
  void replay() override {
    ++counts_.replays;
    work_();
  }

 private:
  Counts& counts_;
  std::function<void()> work_;
};

Recipe small(RecomputeMode mode) {
  Recipe recipe = recipes::llama_tiny();
  recipe.model.layers = 2;
  recipe.data.sequence_length = 32;
  recipe.batch = {.global = 6, .micro = 2};
  recipe.trainer.max_steps = 4;
  recipe.schedule.warmup_steps = 0;
  recipe.recompute.mode = mode;
  return recipe;
}

void expect_same(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
}

TEST(MicroBatchGraph, ReplaysGiveTheSameBits) {
  const std::pair<RecomputeMode, double> cases[] = {{RecomputeMode::none, 0},        {RecomputeMode::selective, 0},
                                                    {RecomputeMode::full, 0},        {RecomputeMode::none, 0.2},
                                                    {RecomputeMode::selective, 0.2}, {RecomputeMode::full, 0.2}};
  for (const auto& [mode, dropout] : cases) {
    SCOPED_TRACE(testing::Message() << "recompute " << static_cast<int>(mode) << ", dropout " << dropout);
    Recipe recipe = small(mode);
    recipe.model.hidden_dropout = recipe.model.attention_dropout = recipe.model.embedding_dropout = dropout;
    Counts counts;
    const LayoutRun plain = train_in_layout(recipe, 1, {.documents = 1});
    const LayoutRun recorded =
        train_in_layout(recipe, 1, {.documents = 1, .graph = [&] { return std::make_unique<FakeGraph>(counts); }});
    EXPECT_EQ(plain.losses, recorded.losses);
    EXPECT_EQ(plain.norms, recorded.norms);
    expect_same(plain.weights, recorded.weights);
    expect_same(plain.moments2, recorded.moments2);
    EXPECT_EQ(counts.warm_ups, MicroBatchGraph::kWarmUps);
    EXPECT_EQ(counts.records, 1);
    EXPECT_EQ(counts.replays, 4 * 3 - MicroBatchGraph::kWarmUps) << "every micro-batch counts once";
    EXPECT_NE(plain.losses[0], plain.losses[3]);
  }
}

// The masks of a step and a token, which a recording has as they are when it is replayed.
TEST(MicroBatchGraph, ReplaysDrawTheMasksOfTheirOwnMicroBatch) {
  const at::Tensor x = at::ones({8, 6}), zeros = at::zeros({8}, at::kLong);
  const ops::AttentionOptions heads{.heads = 1, .kv_heads = 1, .head_dim = 2, .cu_seqlens = {0, 8}, .dropout = 0.5};
  at::Tensor hidden, attended;
  const auto drop = [&](const LayerContext& context) {
    hidden = ops::dropout(x, 0.5, {context.seed, "hidden", context.place});
    ops::AttentionOptions options = heads;
    options.dropout_key = {context.seed, "probabilities", context.place};
    attended = ops::attention(x, options);
  };
  Counts counts;
  MicroBatchGraph graph(std::make_unique<FakeGraph>(counts),
                        [&](const DeviceBatch&, const LayerContext& context) { drop(context); });
  std::vector<at::Tensor> seen;
  for (int64_t i = 0; i < 2 * MicroBatchGraph::kWarmUps; ++i) {
    LayerContext context;
    context.cu_seqlens = {0, 8};
    context.seed = 3;
    context.place = ops::dropout_place(1 + i / 2, 8 * (i % 2));  // two micro-batches a step
    graph.run({.tokens = zeros.clone(), .labels = zeros.clone(), .weights = zeros.to(at::kFloat)}, context);
    const at::Tensor replayed = at::cat({hidden, attended}, 1);
    drop(context);
    EXPECT_TRUE(at::equal(replayed, at::cat({hidden, attended}, 1))) << i;
    for (const at::Tensor& other : seen) {
      EXPECT_FALSE(at::equal(replayed.narrow(1, 0, 6), other.narrow(1, 0, 6))) << i;
      EXPECT_FALSE(at::equal(replayed.narrow(1, 6, 2), other.narrow(1, 6, 2))) << i;
    }
    seen.push_back(replayed);
  }
  EXPECT_EQ(counts.replays, MicroBatchGraph::kWarmUps);
}

// Attention asks for the borders on the device, where the latest of the thread are kept: an evaluation's, too.
TEST(MicroBatchGraph, KeepsTheBordersThatAreRecorded) {
  c10::weak_intrusive_ptr<c10::TensorImpl> recorded(at::zeros({1}).getIntrusivePtr());
  Counts counts;
  MicroBatchGraph graph(std::make_unique<FakeGraph>(counts), [&](const DeviceBatch&, const LayerContext& context) {
    recorded =
        c10::weak_intrusive_ptr<c10::TensorImpl>(ops::borders_on(context.cu_seqlens, at::kCPU).getIntrusivePtr());
  });
  const at::Tensor zeros = at::zeros({8}, at::kLong);
  const DeviceBatch batch{.tokens = zeros, .labels = zeros, .weights = zeros.to(at::kFloat)};
  LayerContext context;
  context.cu_seqlens = {0, 4, 8};
  context.place = ops::dropout_place(1, 0);
  for (int i = 0; i < MicroBatchGraph::kWarmUps; ++i) graph.run(batch, context);
  ops::borders_on({0, 8}, at::kCPU);
  graph.run(batch, context);
  EXPECT_EQ(counts.records, 1);
  ops::borders_on({0, 8}, at::kCPU);
  EXPECT_FALSE(recorded.expired()) << "a replay would read memory that is somebody else's by now";
}

TEST(MicroBatchGraph, RefusesOtherBorders) {
  Counts counts;
  EXPECT_THROW(train_in_layout(small(RecomputeMode::none), 1,
                               {.documents = 3, .graph = [&] { return std::make_unique<FakeGraph>(counts); }}),
               InternalError);
}

// An operator of the user's own, which knows nothing of main gradients.
class PlainMixer final : public Mixer {
 public:
  PlainMixer(const std::string& prefix, int64_t hidden, ParameterStore& store)
      : name_(prefix + "scale"), store_(store) {
    store.declare(name_, {.global_shape = {hidden}});
  }
  at::Tensor forward(const at::Tensor& x, const LayerContext&) override { return x * store_.weight(name_).value; }

 private:
  const std::string name_;
  const ParameterStore& store_;
};

TEST(MicroBatchGraph, RefusesGradientsThatAreLeftToAutograd) {
  const Recipe recipe = resolved(small(RecomputeMode::none));
  const ParallelLayout layout(recipe, nullptr);
  LayerSpec spec = decoder_layer_spec();
  spec.sublayers[1].mixer = [](const ModelConfig& config, int64_t, const std::string& prefix, ParameterStore& store) {
    return std::make_unique<PlainMixer>(prefix, config.hidden, store);
  };
  Transformer model(recipe.model, {}, spec);
  Counts counts;
  GlobalStep step(model, layout, recipe, std::make_unique<FakeGraph>(counts));
  try {
    step.run(1, batches_of(recipe, 0, 0, 1, 1));
    ADD_FAILURE() << "it was recorded";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("leaves the gradient of decoder.layers.0.mlp.scale to autograd"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace longhaul
