#include "train/environment.h"

#include <gtest/gtest.h>

#include "longhaul/core/file.h"
#include "longhaul/recipes/library.h"
#include "longhaul/train/trainer.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using nlohmann::ordered_json;

TEST(Environment, RecordsSettingsThatMatterAndNoOthers) {
  const ordered_json settings =
      recorded_settings({"NCCL_DEBUG=INFO", "HOME=/home/somebody", "CUDA_VISIBLE_DEVICES=0,1", "API_TOKEN=secret",
                         "OMP_NUM_THREADS=4", "XNCCL_DEBUG=1", "PYTORCH_ALLOC_CONF=a:b=c", "CUDA_NO_VALUE"});
  EXPECT_EQ(settings, (ordered_json{{"CUDA_VISIBLE_DEVICES", "0,1"},
                                    {"NCCL_DEBUG", "INFO"},
                                    {"OMP_NUM_THREADS", "4"},
                                    {"PYTORCH_ALLOC_CONF", "a:b=c"}}));
}

class EnvironmentFile : public FolderTest {};

TEST_F(EnvironmentFile, StandsInTheRunFolder) {
  Recipe recipe = recipes::llama_tiny();
  recipe.schedule.warmup_steps = 0;
  recipe.trainer.max_steps = 1;
  recipe.trainer.eval_every = 0;
  recipe.trainer.device = DeviceChoice::cpu;
  recipe.trainer.run_dir = path("run");
  Trainer trainer(recipe);
  const ordered_json environment = ordered_json::parse(read_text(folder_ / "run/environment.json"));
  ASSERT_EQ(environment.at("ranks").size(), 1U);
  EXPECT_EQ(environment.at("ranks")[0].at("device"), "cpu");
  EXPECT_FALSE(environment.at("ranks")[0].at("host").get<std::string>().empty());
  EXPECT_GT(environment.at("memory_bytes").get<int64_t>(), 0);
  EXPECT_TRUE(environment.contains("libtorch"));
  EXPECT_TRUE(environment.at("settings").is_object());
}

}  // namespace
}  // namespace longhaul
