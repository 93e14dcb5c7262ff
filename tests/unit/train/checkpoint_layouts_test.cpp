// A checkpoint goes from layout to layout and back, bit for bit: weights, moments, and whose files hold what.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/comm/thread_communicator.h"
#include "longhaul/train/trainer.h"
#include "unit/train/layout_rows.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

std::map<std::string, at::Tensor> tensors_of(const std::string& folder) {
  const CheckpointReader reader(folder);
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& name : reader.names()) tensors.emplace(name, reader.read(name));
  return tensors;
}

int64_t files_of(const std::string& folder) {
  int64_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) files += entry.path().extension() == ".safetensors" ? 1 : 0;
  return files;
}

class CheckpointLayouts : public testing::TestWithParam<Family> {};

TEST_P(CheckpointLayouts, MoveBitForBit) {
  const fs::path root = fs::temp_directory_path() / ("longhaul-layouts-" + std::to_string(::getpid()));
  fs::remove_all(root);
  const Family family = GetParam();
  const auto recipe_for = [&](const Row& row) {
    Recipe recipe = recipe_of(row);
    recipe.data.mock = true;
    recipe.trainer.max_steps = 3;
    recipe.trainer.threads = 1;
    recipe.trainer.device = DeviceChoice::cpu;
    recipe.trainer.run_dir = (root / "run").string();
    return recipe;
  };
  std::string saved = Trainer(recipe_for({family})).run().checkpoint;
  const auto truth = tensors_of(saved);
  constexpr auto k1f1b = PipelineSchedule::one_f_one_b;
  const Row rows[] = {
      {family, 2},
      {family, 4, true, 2, 1, k1f1b, 1},
      {family, 1, false, 4, 1, k1f1b, 2, Sharding::optimizer},
      {family, 1, false, 2, 2, PipelineSchedule::interleaved, 2},
      {family, 2, true, 2, 1, k1f1b, 2, Sharding::optimizer},
      {family, 1, false, 1, 1, k1f1b, 8, Sharding::optimizer},
      {family, 1, false, 1, 1, k1f1b, 4, Sharding::parameters},
      {family, 2, true, 2, 1, k1f1b, 2, Sharding::gradients},
      {family, 2, false, 2, 2, PipelineSchedule::interleaved, 2, Sharding::parameters},
      {family, 8},
      {family},
  };
  for (const Row& row : rows) {
    comm::run_thread_ranks(row.ranks(), [&](comm::Communicator& world) {
      Trainer trainer(recipe_for(row), &world);
      EXPECT_EQ(trainer.step(), 3);
      const std::string folder = trainer.save();
      if (world.rank() == 0) saved = folder;
    });
    const auto moved = tensors_of(saved);
    ASSERT_EQ(moved.size(), truth.size());
    for (const auto& [name, tensor] : truth) EXPECT_TRUE(moved.at(name).equal(tensor)) << name;
    EXPECT_EQ(files_of(saved), 3 * row.ranks()) << "every rank writes weights and both moments";
  }
  fs::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(Families, CheckpointLayouts, testing::Values(Family::llama, Family::gpt),
                         [](const auto& info) { return info.param == Family::llama ? "llama" : "gpt"; });

}  // namespace
}  // namespace longhaul
