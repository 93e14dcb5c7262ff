// The memory estimate against what tensors really take: whole steps on the CPU, whose allocator counts.
#include <gtest/gtest.h>

#include "longhaul/ops/host_memory.h"
#include "longhaul/recipes/estimate.h"
#include "longhaul/recipes/library.h"
#include "longhaul/train/trainer.h"
#include "ops/gemm_avx512.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

constexpr double kTolerance = 0.05;

class MemoryEstimateTest : public FolderTest {
 protected:
  // Large enough that what is not counted (tensors below 1 MiB) is nothing.
  static Recipe llama() {
    Recipe r = recipes::llama_tiny();
    r.model.hidden = 256;
    r.model.heads = 4;
    r.model.kv_heads = 2;
    r.model.head_dim = 0;
    r.model.ffn_hidden = 704;
    r.model.layers = 4;
    r.model.vocab_size = 8192;
    r.model.max_positions = 512;
    r.data.mock = true;
    r.data.sequence_length = 512;
    r.batch.global = r.batch.micro = 4;
    r.schedule.warmup_steps = 0;
    r.trainer.max_steps = 1;
    r.trainer.eval_every = 0;
    r.trainer.device = DeviceChoice::cpu;
    r.trainer.precision = Precision::fp32;
    return r;
  }
  static Recipe gpt() {
    Recipe r = llama();
    r.model = recipes::gpt_tiny().model;
    r.model.hidden = 256;
    r.model.heads = r.model.kv_heads = 4;
    r.model.head_dim = 0;
    r.model.ffn_hidden = 1024;
    r.model.layers = 3;
    r.model.vocab_size = 5000;
    r.model.max_positions = 512;
    r.model.hidden_dropout = 0.1;
    return r;
  }

  void compare(Recipe recipe, const std::string& what) {
    recipe.trainer.run_dir = path("run");
    std::filesystem::remove_all(recipe.trainer.run_dir);
    const int64_t before = ops::host_memory().tensors;
    double estimated = 0;
    {
      Trainer trainer(recipe);
      trainer.run();
      const MemoryEstimate estimate =
          estimate_memory(trainer.recipe(), trainer.recipe().parallel, trainer.recipe().recompute);
      estimated = estimate.total() + estimate.host;
    }
    const double measured = static_cast<double>(ops::host_memory().tensors_peak - before);
    EXPECT_NEAR(estimated / measured, 1, kTolerance)
        << what << ": estimated " << estimated / (1 << 20) << " MiB, measured " << measured / (1 << 20) << " MiB";
    EXPECT_EQ(ops::host_memory().tensors, before) << what << " keeps memory";
  }

  void compare_modes(const Recipe& base, const std::string& name) {
    for (const RecomputeMode mode : {RecomputeMode::none, RecomputeMode::selective, RecomputeMode::full}) {
      Recipe recipe = base;
      recipe.recompute.mode = mode;
      compare(recipe, name + " " + std::string(name_of(mode)));
    }
  }
};

TEST_F(MemoryEstimateTest, LlamaInFp32) {
  compare_modes(llama(), "Llama");
}

TEST_F(MemoryEstimateTest, GptInFp32) {
  compare_modes(gpt(), "GPT");
}

TEST_F(MemoryEstimateTest, NemotronInFp32) {
  Recipe r = llama();
  r.model.activation = Activation::squared_relu;
  r.model.gated = false;
  r.model.normalization = Normalization::layer_norm;
  compare_modes(r, "Nemotron");
}

TEST_F(MemoryEstimateTest, LlamaInBf16) {
  if (!ops::avx512::supported(/*bf16=*/true))
    GTEST_SKIP() << "this CPU has no AVX-512 BF16: its products work on FP32 copies";
  Recipe r = llama();
  r.trainer.precision = Precision::bf16;
  r.batch.global = r.batch.micro = 8;  // BF16 tensors of 1 MiB and more
  compare_modes(r, "Llama BF16");
}

TEST_F(MemoryEstimateTest, ManyActivationsAndFewParameters) {
  Recipe r = llama();
  r.model.layers = 8;
  r.model.vocab_size = 2000;
  compare_modes(r, "long");
  r.recompute = {RecomputeMode::full, 4};
  compare(r, "half of the layers recomputed");
}

// On the CPU what is offloaded lies in the same memory.
TEST_F(MemoryEstimateTest, OffloadedStatesAndActivations) {
  Recipe r = llama();
  r.optimizer.offload = true;
  compare(r, "optimizer.offload, FP32");
  r.recompute = {.mode = RecomputeMode::full, .offload = true};
  r.trainer.precision = Precision::bf16;
  compare(r, "both, BF16");
}

TEST_F(MemoryEstimateTest, AWideVocabularyIsMostOfIt) {
  Recipe r = llama();
  r.model.layers = 1;
  r.model.vocab_size = 30000;
  r.model.tied_embeddings = true;
  r.batch.global = r.batch.micro = 2;
  compare_modes(r, "wide");
}

}  // namespace
}  // namespace longhaul
