// The memory estimate against arithmetic by hand. What runs take stands beside it in
// unit/train/memory_estimate_test.cpp.
#include "longhaul/recipes/estimate.h"

#include <gtest/gtest.h>

namespace longhaul {
namespace {

// 2 layers of hidden 8, two heads of 4, ffn 16, gated, vocabulary 10, 4 tokens, FP32.
TEST(EstimateMemory, ByHand) {
  Recipe r;
  r.model.hidden = 8;
  r.model.heads = 2;
  r.model.ffn_hidden = 16;
  r.model.vocab_size = 10;
  r.model.vocab_multiple = 1;
  r.data.sequence_length = 4;
  r.batch = {4, 1};
  r.trainer.precision = Precision::fp32;
  r = resolved(r);
  const double parameters = 2 * 80 + 2 * (4 * 64 + 3 * 128 + 16) + 8;
  ASSERT_EQ(r.model.parameter_count(), static_cast<int64_t>(parameters));
  const MemoryEstimate none = estimate_memory(r, {}, {});
  EXPECT_EQ(none.weights, 4 * parameters);
  EXPECT_EQ(none.gradients, 4 * parameters);
  EXPECT_EQ(none.optimizer, 8 * parameters);
  // Norms in and out 32, QKV 24, attention 8, gate and up 32, activation 16: 112 numbers. A maximum and a sum of each
  // head, and the scales of two norms: 6.
  const double layer = 112 + 6;
  EXPECT_EQ(none.activations, 4 * 4 * (2 * layer));
  // The gradients of stream and loss 16, of gate and up 32: more than what the loss needs, 3 vectors of 8 and logits
  // of 10.
  EXPECT_EQ(none.working, 4 * 4 * (16 + 32));
  EXPECT_EQ(none.communication, 0);
  const MemoryEstimate selective = estimate_memory(r, {}, {RecomputeMode::selective, 0});
  EXPECT_EQ(selective.activations, none.activations - 4 * 4 * 2 * (16 + 16))
      << "without norms' and activations' outputs";
  EXPECT_EQ(selective.working, none.working + 4 * 4 * (16 + 8))
      << "the outputs of one MLP's norm and activation are there again";
  const MemoryEstimate full = estimate_memory(r, {}, {RecomputeMode::full, 0});
  EXPECT_EQ(full.activations, 4 * 4 * 2 * (2 * 8)) << "sum and update before each layer";
  EXPECT_EQ(full.working, none.working + 4 * 4 * (layer + 8)) << "one layer in full, and its last update";
  EXPECT_EQ(estimate_memory(r, {}, {RecomputeMode::full, 1}).activations, (full.activations + none.activations) / 2);

  Recipe wide = r;
  wide.model.vocab_size = 1000;
  EXPECT_EQ(estimate_memory(wide, {}, {}).working, 4 * 4 * (3 * 8 + 1000)) << "now the loss needs more";
  wide.model.vocab_multiple = 1024;
  EXPECT_EQ(estimate_memory(wide, {}, {}).weights - 4 * static_cast<double>(wide.model.parameter_count()),
            4 * 2 * 24 * 8)
      << "the padding of two tables";

  r.trainer.precision = Precision::bf16;
  const MemoryEstimate bf16 = estimate_memory(r, {}, {});
  EXPECT_EQ(bf16.weights + bf16.gradients + bf16.optimizer, 18 * parameters);
  ParallelConfig halves;
  halves.tensor = 2;
  EXPECT_EQ(estimate_memory(r, halves, {}).weights, parameters + 5 * 8) << "each rank has the norms";

  // Four ranks: a quarter of what is shared out, and of gradients and values two units in full, here layers.
  const double unit = 4 * 64 + 3 * 128 + 16;
  const auto shared = [&](Sharding sharding) {
    ParallelConfig layout;
    layout.sharding = sharding;
    return estimate_memory(r, layout, {}, 4);
  };
  EXPECT_EQ(shared(Sharding::none).optimizer, 12 * parameters);
  EXPECT_EQ(shared(Sharding::optimizer).optimizer, 3 * parameters);
  EXPECT_EQ(shared(Sharding::optimizer).gradients, 4 * parameters);
  EXPECT_EQ(shared(Sharding::gradients).gradients, 4 * (parameters / 4 + 2 * unit));
  EXPECT_EQ(shared(Sharding::gradients).weights, 2 * parameters);
  EXPECT_EQ(shared(Sharding::parameters).weights, 2 * (parameters / 4 + 2 * unit));
}

// 3 tokens of 8 numbers are 96 bytes; pinned memory comes in powers of two.
TEST(EstimateMemory, InputsOfRecomputedLayersInPinnedMemory) {
  Recipe r;
  r.model.hidden = 8;
  r.model.heads = 2;
  r.model.layers = 5;
  r.data.sequence_length = 3;
  r.batch = {4, 1};
  r.trainer.precision = Precision::fp32;
  r = resolved(r);
  const RecomputeConfig offloaded = {.mode = RecomputeMode::full, .offload = true};
  r.trainer.device = DeviceChoice::cpu;
  EXPECT_EQ(estimate_memory(r, {}, offloaded).host, 5 * 2 * 96);
  r.trainer.device = DeviceChoice::cuda;
  EXPECT_EQ(estimate_memory(r, {}, offloaded).host, 5 * 2 * 128);
  r.data.sequence_length = 4;
  EXPECT_EQ(estimate_memory(r, {}, offloaded).host, 5 * 2 * 128) << "a power of two itself";
}

}  // namespace
}  // namespace longhaul
