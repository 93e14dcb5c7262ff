// Parameter counts against the published ones, FLOPs against models computed by hand.
#include "longhaul/model/model_config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

struct Shape {
  int64_t layers, hidden, ffn_hidden, heads, kv_heads, vocab_size, max_positions;
};

ModelConfig make(const char* family, const Shape& shape, bool tied) {
  ModelConfig m = family_preset(family);
  m.layers = shape.layers;
  m.hidden = shape.hidden;
  m.ffn_hidden = shape.ffn_hidden;
  m.heads = shape.heads;
  m.kv_heads = shape.kv_heads;
  m.vocab_size = shape.vocab_size;
  m.max_positions = shape.max_positions;
  m.tied_embeddings = tied;
  return m.resolved();
}

ModelConfig llama3_8b() {
  return make("llama", {32, 4096, 14336, 32, 8, 128256, 8192}, false);
}
ModelConfig gpt3(int64_t vocab) {
  return make("gpt", {96, 12288, 0, 96, 0, vocab, 2048}, true);
}

std::string error_of(const ModelConfig& m) {
  try {
    m.resolved();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ModelConfig, ParameterCountsArePublishedOnes) {
  EXPECT_EQ(make("gpt", {12, 768, 0, 12, 0, 50257, 1024}, true).parameter_count(), 124439808);
  EXPECT_EQ(make("gpt", {24, 1024, 0, 16, 0, 50257, 1024}, true).parameter_count(), 354823168);
  EXPECT_EQ(make("gpt", {36, 1280, 0, 20, 0, 50257, 1024}, true).parameter_count(), 774030080);
  EXPECT_EQ(make("gpt", {48, 1600, 0, 25, 0, 50257, 1024}, true).parameter_count(), 1557611200);
  EXPECT_EQ(gpt3(50257).parameter_count(), 174604259328);
  EXPECT_EQ(gpt3(51200).parameter_count(), 174615846912);
  EXPECT_EQ(make("llama", {22, 2048, 5632, 32, 4, 32000, 2048}, false).parameter_count(), 1100048384);
  EXPECT_EQ(make("llama", {32, 4096, 11008, 32, 32, 32000, 4096}, false).parameter_count(), 6738415616);
  EXPECT_EQ(make("llama", {40, 5120, 13824, 40, 40, 32000, 4096}, false).parameter_count(), 13015864320);
  EXPECT_EQ(make("llama", {80, 8192, 28672, 64, 8, 32000, 4096}, false).parameter_count(), 68976648192);
  EXPECT_EQ(llama3_8b().parameter_count(), 8030261248);
  EXPECT_EQ(make("llama", {80, 8192, 28672, 64, 8, 128256, 8192}, false).parameter_count(), 70553706496);
  EXPECT_EQ(make("llama", {126, 16384, 53248, 128, 8, 128256, 131072}, false).parameter_count(), 405853388800);
  EXPECT_EQ(make("llama", {16, 2048, 8192, 32, 8, 128256, 131072}, true).parameter_count(), 1235814400);
  EXPECT_EQ(make("llama", {28, 3072, 8192, 24, 8, 128256, 131072}, true).parameter_count(), 3212749824);
  EXPECT_EQ(make("nemotron", {32, 3072, 9216, 24, 8, 256000, 4096}, false).parameter_count(), 4190509056);
  EXPECT_EQ(make("nemotron", {32, 4096, 16384, 32, 32, 256000, 4096}, false).parameter_count(), 8540135424);
  EXPECT_EQ(make("nemotron", {40, 6144, 24576, 48, 48, 256000, 4096}, false).parameter_count(), 21266116608);
  EXPECT_EQ(make("nemotron", {32, 6144, 24576, 48, 8, 256000, 4096}, false).parameter_count(), 15628775424);
  EXPECT_EQ(make("nemotron", {96, 18432, 73728, 96, 8, 256000, 4096}, false).parameter_count(), 341029195776);
}

// Qwen2.5 has biases on q, k and v alone; Llama's attention_bias adds one on the output.
TEST(ModelConfig, ParameterCountsWithBiases) {
  ModelConfig qwen = family_preset("llama");
  qwen.layers = 24;
  qwen.hidden = 896;
  qwen.ffn_hidden = 4864;
  qwen.heads = 14;
  qwen.kv_heads = 2;
  qwen.vocab_size = 151936;
  qwen.tied_embeddings = true;
  qwen.qkv_bias = true;
  EXPECT_EQ(qwen.resolved().parameter_count(), 494032768);
  qwen.proj_bias = true;
  EXPECT_EQ(qwen.resolved().parameter_count(), 494032768 + 24 * 896);
}

TEST(ModelConfig, FlopsPerToken) {
  const auto gflop = [](const ModelConfig& m, int64_t s, bool causal) { return m.flops_per_token(s, causal) / 1e9; };
  EXPECT_NEAR(gflop(make("gpt", {12, 768, 0, 12, 0, 50257, 2048}, true), 2048, true), 0.854, 5e-4);
  EXPECT_NEAR(gflop(make("gpt", {12, 768, 0, 12, 0, 50257, 2048}, true), 2048, false), 0.968, 5e-4);
  EXPECT_NEAR(gflop(make("llama", {22, 2048, 5632, 32, 4, 32000, 2048}, false), 2048, true), 6.760, 5e-4);
  EXPECT_NEAR(gflop(make("llama", {16, 2048, 8192, 32, 8, 128256, 131072}, true), 8192, true), 9.025, 5e-4);
  EXPECT_NEAR(gflop(llama3_8b(), 4096, true), 48.249, 5e-4);
  EXPECT_NEAR(gflop(llama3_8b(), 8192, false), 57.913, 5e-4);
  EXPECT_NEAR(gflop(make("llama", {126, 16384, 53248, 128, 8, 128256, 131072}, false), 8192, true), 2523.956, 5e-4);
  EXPECT_NEAR(gflop(make("nemotron", {32, 6144, 24576, 48, 8, 256000, 4096}, false), 4096, true), 89.163, 5e-4);
  EXPECT_NEAR(gflop(make("nemotron", {96, 18432, 73728, 96, 8, 256000, 4096}, false), 4096, false), 2104.794, 5e-4);
  EXPECT_NEAR(gflop(gpt3(51200), 2048, true), 1061.947, 5e-4);
}

TEST(ModelConfig, ResolvesWhatIsLeftToDerive) {
  ModelConfig m;
  m.hidden = 96;
  m.heads = 3;
  const ModelConfig r = m.resolved();
  EXPECT_EQ(r.kv_heads, 3);
  EXPECT_EQ(r.head_dim, 32);
  EXPECT_EQ(r.ffn_hidden, 384);
  EXPECT_EQ(r.resolved(), r);
}

TEST(ModelConfig, RefusesImpossibleShapes) {
  ModelConfig m;
  m.heads = 3;
  EXPECT_NE(error_of(m).find("model.hidden 128 does not divide by model.heads 3"), std::string::npos);
  m.head_dim = 40;
  EXPECT_EQ(error_of(m), "no error");  // heads × head_dim need not be hidden
  m.kv_heads = 2;
  EXPECT_NE(error_of(m).find("model.heads 3 does not divide by model.kv_heads 2"), std::string::npos);
  ModelConfig narrow;
  narrow.heads = 128;
  EXPECT_NE(error_of(narrow).find("no pair of channels to rotate"), std::string::npos);
  ModelConfig learned = family_preset("gpt");
  learned.rope_scaling.kind = RopeScalingKind::linear;
  EXPECT_NE(error_of(learned).find("model.rope_scaling.kind is linear, but model.position is learned"),
            std::string::npos);
}

TEST(ContinueFrom, TakesTheCheckpointsShapeAndTheRecipesTraining) {
  ModelConfig recipe;
  recipe.from = "/some/folder";
  recipe.hidden_dropout = 0.25;
  ModelConfig gpt = make("gpt", {12, 768, 0, 12, 0, 50257, 1024}, true);
  gpt.attention_dropout = 0.1;
  ModelConfig expected = gpt;
  expected.from = "/some/folder";
  expected.hidden_dropout = 0.25;
  expected.attention_dropout = 0;
  EXPECT_EQ(continue_from(recipe, gpt), expected);
}

TEST(ContinueFrom, TellsWhereRecipeAndCheckpointDiffer) {
  ModelConfig recipe;
  recipe.from = "/some/folder";
  recipe.layers = 16;
  recipe.rope_theta = 8e6;
  std::vector<std::string> notes;
  const ModelConfig m = continue_from(recipe, llama3_8b(), &notes);
  EXPECT_EQ(m.layers, 32);
  EXPECT_EQ(m.rope_theta, llama3_8b().rope_theta);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0], "model.layers is 32 (the recipe says 16)");
  EXPECT_NE(notes[1].find("(the recipe says 8000000)"), std::string::npos) << notes[1];
}

TEST(ContinueFrom, SaysWhichRotaryScalingIsUsed) {
  ModelConfig recipe;
  recipe.rope_scaling.kind = RopeScalingKind::linear;
  recipe.rope_scaling.factor = 4;
  std::vector<std::string> notes;
  const ModelConfig m = continue_from(recipe, llama3_8b(), &notes);
  EXPECT_EQ(m.rope_scaling, llama3_8b().rope_scaling);
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note == "model.rope_scaling.factor is 1 (the recipe says 4)";
  }));
}

TEST(ContinueFrom, KeepsTheCheckpointsInitialisation) {
  ModelConfig recipe, checkpoint = llama3_8b();
  recipe.init_std = 0.01;
  recipe.scaled_init = !checkpoint.scaled_init;
  checkpoint.init_std = 0.1;
  const ModelConfig m = continue_from(recipe, checkpoint);
  EXPECT_EQ(m.init_std, 0.1);
  EXPECT_EQ(m.scaled_init, checkpoint.scaled_init);
}

TEST(ModelConfig, HeadsHaveAnEvenNumberOfChannels) {
  ModelConfig odd = family_preset("gpt");
  odd.hidden = 60;
  odd.heads = 4;
  EXPECT_NE(error_of(odd).find("the heads have 15 channels"), std::string::npos) << error_of(odd);
}

}  // namespace
}  // namespace longhaul
