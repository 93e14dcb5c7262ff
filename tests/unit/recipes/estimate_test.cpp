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

// 3 sequences of 10 tokens, 4 query heads of 24 numbers on 2 of keys, hidden 64, ffn 16, gated, BF16. The sizes of
// FlashAttention 2's temporary tensors are those in mha_varlen_bwd of its flash_api.cpp.
TEST(EstimateMemory, BackwardOfFusedAttention) {
  Recipe r;
  r.model.hidden = 64;
  r.model.heads = 4;
  r.model.kv_heads = 2;
  r.model.head_dim = 24;
  r.model.ffn_hidden = 16;
  r.model.vocab_size = 10;
  r.data.sequence_length = 10;
  r.batch = {3, 3};
  r.trainer.precision = Precision::bf16;
  r.trainer.device = DeviceChoice::cuda;
  r = resolved(r);
  const double tokens = 30, rows = tokens + 3 * 128;
  const double dq = tokens * 4 * 24 * 2, dk_dv = 2 * tokens * 2 * 24 * 2, expanded = 2 * tokens * 4 * 24 * 2;
  const double dq_accum = rows * 4 * 32 * 4, softmax_d = rows * 4 * 4;  // 24 rounded up to 32, FP32
  const double flash = dq + dk_dv + expanded + dq_accum + softmax_d;
  // The gradients of loss, stream, and attention's output, without the layer's MLP: two sums' worth of its norm, gate
  // and up, and their activation.
  const double vector = tokens * 64 * 2, dout = tokens * 96 * 2, first = tokens * 32 * 2, activated = tokens * 16 * 2;
  const double around = 2 * vector + dout - (2 * vector + first + activated);
  const MemoryEstimate none = estimate_memory(r, {}, {});
  EXPECT_DOUBLE_EQ(none.working, flash + around);
  EXPECT_DOUBLE_EQ(estimate_memory(r, {}, {RecomputeMode::selective, 0}).working, flash + around + vector + activated);
  // Norms in and out, QKV, attention's output, the MLP: in BF16. A maximum and a sum of each head, and the scales of
  // two norms.
  const double layer = 4 * vector + tokens * (192 + 96) * 2 + first + activated + tokens * (2 * 4 + 2) * 4;
  EXPECT_DOUBLE_EQ(estimate_memory(r, {}, {RecomputeMode::full, 0}).working, flash + around + layer + vector);

  const auto working = [&](const auto& change) {
    Recipe changed = r;
    change(changed);
    return estimate_memory(changed, {}, {}).working;
  };
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.trainer.deterministic = true; }), none.working + 10 * dq_accum)
      << "12 blocks of heads on 132 processors";
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.model.kv_heads = 4; }), none.working - expanded + dk_dv)
      << "nobody shares keys";
  EXPECT_DOUBLE_EQ(
      working([](Recipe& x) { x.model.head_dim = 136; }) - working([](Recipe& x) { x.model.head_dim = 128; }),
      tokens * (5 * 4 + 2 * 2) * 8 * 2 - tokens * 4 * 8 * 2 + rows * 4 * (192 - 128) * 4)
      << "rounded to 64 beyond 128";
  // Elsewhere the loss is the most: its vectors, and 10 logits: BF16 on a GPU, FP32 with a BF16 copy on the CPU.
  const double loss = 3 * vector + tokens * 10 * 2;
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.trainer.device = DeviceChoice::cpu; }), loss + tokens * 10 * 4);
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.model.attention_dropout = 0.1; }), loss);
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.model.head_dim = 26; }), loss);
  EXPECT_DOUBLE_EQ(working([](Recipe& x) { x.model.ffn_hidden = 6400; }), 2 * vector + 400 * first) << "a large MLP's";
  ParallelConfig halves;
  halves.tensor = 2;
  EXPECT_DOUBLE_EQ(estimate_memory(r, halves, {}).working,
                   flash / 2 + 2 * vector + dout / 2 - (2 * vector + (first + activated) / 2));
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
