// trainer.profile, in whole runs on the CPU.
#include "train/profile/step_profiler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "longhaul/core/file.h"
#include "longhaul/recipes/library.h"
#include "longhaul/train/trainer.h"
#include "ops/profile_scope.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

class StepProfilerTest : public FolderTest {
 protected:
  // The losses of four steps.
  std::vector<double> train(const std::string& name, const std::string& profile,
                            RecomputeMode recompute = RecomputeMode::none) {
    Recipe recipe = recipes::llama_tiny();
    recipe.data.mock = true;
    recipe.schedule.warmup_steps = 0;
    recipe.trainer.max_steps = 4;
    recipe.trainer.eval_every = 0;
    recipe.trainer.device = DeviceChoice::cpu;
    recipe.trainer.run_dir = path(name);
    recipe.trainer.profile = profile;
    recipe.recompute.mode = recompute;
    std::vector<double> losses;
    Trainer trainer(recipe);
    trainer.on_step([&](const StepMetrics& metrics) { losses.push_back(metrics.loss); });
    trainer.run();
    return losses;
  }
  nlohmann::json trace(const std::string& file) const { return nlohmann::json::parse(read_text(folder_ / file)); }
};

TEST_F(StepProfilerTest, WritesATraceThatNamesPartsAndOperators) {
  train("run", "2..3");
  std::set<std::string> names;
  int64_t layers = 0;
  const nlohmann::json whole = trace("run/profile/steps_2-3.rank_0.json");
  for (const auto& event : whole.at("traceEvents")) {
    if (event.at("ph") != "X") continue;  // a span
    EXPECT_GE(event.at("dur").get<double>(), 0);
    names.insert(event.at("name").get<std::string>());
    layers += event.at("name") == "decoder.layers.1";
  }
  for (const char* name :
       {"embedding", "decoder.layers.0", "decoder.layers.0.self_attention.linear_qkv",
        "decoder.layers.0.self_attention.core_attention", "decoder.layers.0.self_attention.linear_proj",
        "decoder.layers.1.mlp", "decoder.layers.1.mlp.linear_fc1", "decoder.layers.1.mlp.linear_fc2",
        "decoder.layers.1 backward", "decoder.layers.1.mlp backward", "output_layer", "norm_forward", "norm_backward",
        "adamw"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  const Recipe recipe = recipes::llama_tiny();
  EXPECT_EQ(layers, 2 * recipe.batch.global / recipe.batch.micro) << "once each micro-batch of two steps";
  const std::string log = read_text(folder_ / "run/log.txt");
  EXPECT_CONTAINS(log, "profile of steps 2-3");
  EXPECT_CONTAINS(log, "outside operators");
}

TEST_F(StepProfilerTest, ChangesNoNumber) {
  for (const RecomputeMode mode : {RecomputeMode::none, RecomputeMode::selective, RecomputeMode::full}) {
    const std::string name(name_of(mode));
    EXPECT_EQ(train(name, "1..4", mode), train(name + " without", "", mode));
  }
}

TEST_F(StepProfilerTest, ARunThatEndsWithinTheStepsWritesThoseItTook) {
  train("run", "3..100");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/profile/steps_3-4.rank_0.json"));
  train("later", "9");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "later/profile"));
}

TEST(ProfileScope, CostsNextToNothingWhileNothingProfiles) {
  constexpr int kScopes = 200'000;
  bool named = false;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kScopes; ++i) {
    const ops::PartScope scope([&] {
      named = true;
      return std::string("a name");
    });
  }
  const double each = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kScopes;
  EXPECT_FALSE(named);
  EXPECT_LT(each, 1e-6);  // a layer has some ten of them, and takes milliseconds
}

}  // namespace
}  // namespace longhaul
