// Against the values that Megatron-LM's --rampup-batch-size 16 4 1000 gives on the way to 32.
#include "longhaul/recipes/batch_rampup.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace longhaul {
namespace {

const BatchConfig kRampup{.global = 32, .micro = 1, .rampup_start = 16, .rampup_increment = 4, .rampup_samples = 1000};

TEST(BatchRampup, BatchAfterSoManySamples) {
  const std::vector<std::pair<int64_t, int64_t>> expected{{0, 16},   {249, 16}, {250, 20}, {500, 24},
                                                          {999, 28}, {1000, 32}, {1001, 32}, {1 << 30, 32}};
  for (const auto& [consumed, batch] : expected) EXPECT_EQ(global_batch_at(kRampup, consumed), batch) << consumed;
}

TEST(BatchRampup, StepsAtWhichTheBatchChanges) {
  std::vector<std::pair<int64_t, int64_t>> changes;  // steps taken, samples consumed
  int64_t consumed = 0, batch = 16;
  for (int64_t step = 0; step < 60; ++step) {
    const int64_t now = global_batch_at(kRampup, consumed);
    if (now != batch) changes.emplace_back(step, consumed);
    batch = now;
    EXPECT_EQ(samples_of_steps(kRampup, 0, step), consumed);
    EXPECT_EQ(steps_of_samples(kRampup, consumed), step);
    EXPECT_EQ(steps_of_samples(kRampup, consumed + now - 1), step);
    consumed += now;
  }
  EXPECT_EQ(changes, (std::vector<std::pair<int64_t, int64_t>>{{16, 256}, {29, 516}, {39, 756}, {48, 1008}}));
}

TEST(BatchRampup, StepsGoOnFromAnywhere) {
  const int64_t begin = samples_of_steps(kRampup, 0, 20);
  EXPECT_EQ(begin + samples_of_steps(kRampup, begin, 40), samples_of_steps(kRampup, 0, 60));
}

TEST(BatchRampup, NoneIsTheGlobalBatch) {
  const BatchConfig plain{.global = 8};
  EXPECT_EQ(global_batch_at(plain, 0), 8);
  EXPECT_EQ(samples_of_steps(plain, 5, 10), 80);
  EXPECT_EQ(steps_of_samples(plain, 81), 10);
  EXPECT_EQ(common_batch(plain), 8);
  EXPECT_EQ(common_batch(kRampup), 4);
}

}  // namespace
}  // namespace longhaul
