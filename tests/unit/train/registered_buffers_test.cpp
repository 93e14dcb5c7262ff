// parallel.register_buffers: values and main gradients lie in memory of the data-parallel ranks' communicator, and
// training gives the same numbers.
#include <gtest/gtest.h>

#include <ATen/ops/equal.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "longhaul/core/error.h"
#include "longhaul/recipes/library.h"
#include "unit/temp_folder.h"
#include "unit/train/layout_run.h"
#include "unit/train/recording_communicator.h"

namespace longhaul {
namespace {

Recipe two_ranks(Sharding sharding) {
  Recipe recipe = recipes::llama_tiny();
  recipe.model.layers = 2;
  recipe.data.sequence_length = 32;
  recipe.batch = {.global = 4, .micro = 1};
  recipe.trainer.max_steps = 3;
  recipe.schedule.warmup_steps = 0;
  recipe.parallel.sharding = sharding;
  return recipe;
}

// Registered memory of all ranks, which must not be zeros by chance.
class Memory {
 public:
  std::shared_ptr<void> take(size_t bytes) {
    void* const memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    std::memset(memory, 0x5a, bytes);
    const std::lock_guard lock(mutex_);
    begins_.insert(memory);
    ++alive_;
    return {memory, [this](void* given) {
              const std::lock_guard lock(mutex_);
              --alive_;
              std::free(given);
            }};
  }
  bool begins_at(const void* address) {
    const std::lock_guard lock(mutex_);
    return begins_.contains(address);
  }
  int alive() const { return alive_; }

 private:
  std::mutex mutex_;
  std::set<const void*> begins_;
  int alive_ = 0;
};

TEST(RegisteredBuffers, HoldValuesAndGradientsAndChangeNoNumber) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer}) {
    Recipe recipe = two_ranks(sharding);
    const LayoutRun plain = train_in_layout(recipe, 2);
    recipe.parallel.register_buffers = true;
    Memory memory;
    std::mutex mutex;
    std::set<std::string> groups;
    RunOptions options;
    options.wrap = [&](comm::Communicator& world) {
      const auto on_call = [&](const RecordedCall& call) {
        const std::lock_guard lock(mutex);
        if (call.operation == "registered_memory") groups.insert(call.group);
      };
      return make_recorder(world, on_call, Exchange::late, [&](size_t bytes) { return memory.take(bytes); });
    };
    options.built = [&](int, ParameterStore& store) {
      for (const ParameterUnit& unit : store.units()) {
        EXPECT_TRUE(memory.begins_at(unit.values.const_data_ptr()));
        EXPECT_TRUE(memory.begins_at(unit.main_grads.const_data_ptr()));
      }
    };
    const LayoutRun registered = train_in_layout(recipe, 2, options);
    EXPECT_EQ(groups, std::set<std::string>{"data"});
    EXPECT_EQ(plain.losses, registered.losses);
    EXPECT_EQ(plain.norms, registered.norms);
    for (const auto& [name, tensor] : plain.weights)
      EXPECT_TRUE(at::equal(tensor, registered.weights.at(name))) << name;
    EXPECT_EQ(memory.alive(), 0) << "all is given back";
  }
}

TEST(RegisteredBuffers, AreRefusedWhereNothingCanBeRegistered) {
  Recipe recipe = two_ranks(Sharding::none);
  recipe.parallel.register_buffers = true;
  EXPECT_CONTAINS(message_of<Error>([&] { train_in_layout(recipe, 2); }), "here nothing can be registered");
  EXPECT_CONTAINS(message_of<UserError>([&] { train_in_layout(recipe, 1); }),
                  "is for data-parallel ranks, but there is one");
  recipe.parallel.sharding = Sharding::gradients;
  EXPECT_CONTAINS(message_of<UserError>([&] { validate(recipe); }),
                  "parallel.sharding gradients makes them anew in every step");
}

}  // namespace
}  // namespace longhaul
