// Against the values that Megatron-LM's --rampup-batch-size 16 4 1000, on the way to 32, and --step-batch-size-schedule
// give.
#include "longhaul/recipes/batch_schedule.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

using Stages = std::vector<BatchSchedule::Stage>;

const BatchConfig kRampup{.global = 32, .micro = 1, .rampup_start = 16, .rampup_increment = 4, .rampup_samples = 1000};

BatchSchedule by_tokens(const std::string& text, int64_t global, int64_t sequence_length = 4096) {
  BatchConfig batch{.global = global};
  batch.schedule = text;
  return {batch, sequence_length};
}

std::string error_of(const std::string& text, int64_t global) {
  try {
    by_tokens(text, global);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(BatchRampup, BatchAfterSoManySamples) {
  const BatchSchedule schedule(kRampup, 8);
  const std::vector<std::pair<int64_t, int64_t>> expected{{0, 16},   {249, 16},  {250, 20},  {500, 24},
                                                          {999, 28}, {1000, 32}, {1001, 32}, {1 << 30, 32}};
  for (const auto& [consumed, batch] : expected) EXPECT_EQ(schedule.global_at(consumed), batch) << consumed;
}

TEST(BatchRampup, StepsAtWhichTheBatchChanges) {
  const BatchSchedule schedule(kRampup, 8);
  std::vector<std::pair<int64_t, int64_t>> changes;  // steps taken, samples consumed
  int64_t consumed = 0, batch = 16;
  for (int64_t step = 0; step < 60; ++step) {
    const int64_t now = schedule.global_at(consumed);
    if (now != batch) changes.emplace_back(step, consumed);
    batch = now;
    EXPECT_EQ(schedule.samples_of_steps(0, step), consumed);
    EXPECT_EQ(schedule.steps_of_samples(consumed), step);
    EXPECT_EQ(schedule.steps_of_samples(consumed + now - 1), step);
    consumed += now;
  }
  EXPECT_EQ(changes, (std::vector<std::pair<int64_t, int64_t>>{{16, 256}, {29, 516}, {39, 756}, {48, 1008}}));
}

TEST(BatchRampup, StepsGoOnFromAnywhere) {
  const BatchSchedule schedule(kRampup, 8);
  const int64_t begin = schedule.samples_of_steps(0, 20);
  EXPECT_EQ(begin + schedule.samples_of_steps(begin, 40), schedule.samples_of_steps(0, 60));
}

// By Megatron-LM's formula, for increments that don't divide the samples, and more of them than samples.
TEST(BatchRampup, FollowsTheFormulaEverywhere) {
  for (const int64_t samples : {1, 3, 7, 100, 1001}) {
    for (const int64_t increments : {1, 3, 7, 11}) {
      const BatchConfig batch{
          .global = 2 + increments, .rampup_start = 2, .rampup_increment = 1, .rampup_samples = samples};
      const BatchSchedule schedule(batch, 8);
      const double each = static_cast<double>(samples) / static_cast<double>(increments);
      for (int64_t consumed = 0; consumed < samples + 20; ++consumed) {
        const int64_t expected =
            consumed > samples ? batch.global : 2 + static_cast<int64_t>(static_cast<double>(consumed) / each);
        ASSERT_EQ(schedule.global_at(consumed), expected) << samples << " " << increments << " " << consumed;
      }
    }
  }
}

TEST(BatchSchedule, NoneIsTheGlobalBatch) {
  const BatchSchedule plain(BatchConfig{.global = 8}, 16);
  EXPECT_EQ(plain.global_at(0), 8);
  EXPECT_EQ(plain.samples_of_steps(5, 10), 80);
  EXPECT_EQ(plain.steps_of_samples(81), 10);
  EXPECT_EQ(plain.common(), 8);
  EXPECT_EQ(BatchSchedule(kRampup, 8).common(), 4);
}

TEST(BatchSchedule, TokensBecomeSamples) {
  const Stages expected{{0, 768}, {61035156, 1536}, {122070312, 3072}, {183105468, 6144}};
  EXPECT_EQ(by_tokens("0:768 250B:1536 500B:3072 750B:6144", 6144).stages(), expected);
  EXPECT_EQ(by_tokens("750B:6144, 0:768,250000M:1536 0.5T:3.072K", 6144).stages(), expected)
      << "in any order and notation";
  const BatchSchedule schedule = by_tokens("0:2 100:4 164:8", 8, 10);  // 10 tokens a sample: at samples 10 and 16
  EXPECT_EQ(schedule.samples_of_steps(0, 8), 2 * 5 + 4 * 2 + 8);
  EXPECT_EQ(schedule.steps_of_samples(2 * 5 + 4 * 2 + 8), 8);
  EXPECT_EQ(schedule.common(), 2);
}

TEST(BatchSchedule, MistakesAreNamed) {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_PRED2(has, error_of("0:768 250Q:1536", 1536), "\"250Q:1536\": write TOKENS:SEQUENCES");
  EXPECT_PRED2(has, error_of("0:768 -5:1536", 1536), "\"-5:1536\"");
  EXPECT_PRED2(has, error_of("0:0", 8), "\"0:0\"");
  EXPECT_PRED2(has, error_of("0:8.5", 8), "\"0:8.5\"");
  EXPECT_PRED2(has, error_of("0", 8), "\"0\"");
  EXPECT_PRED2(has, error_of("9999999T:8", 8), "\"9999999T:8\"");
  EXPECT_PRED2(has, error_of("1B:8", 8), "does not say how the run begins");
  EXPECT_PRED2(has, error_of(" ", 8), "does not say how the run begins");
  EXPECT_PRED2(has, error_of("0:4 1B:8 1000000001:16", 16), "at the same sample, 244140");
  EXPECT_PRED2(has, error_of("0:8 1B:4", 4), "goes from 8 down to 4");
  EXPECT_PRED2(has, error_of("0:8 1B:16", 8), "ends with 16 sequences, but batch.global is 8: set batch.global=16");
  BatchConfig both = kRampup;
  both.schedule = "0:32";
  EXPECT_THROW(BatchSchedule(both, 8), UserError);
  BatchConfig odd{.global = 8, .micro = 4};
  odd.schedule = "0:6 1B:8";
  EXPECT_THROW(BatchSchedule(odd, 8), UserError);
}

}  // namespace
}  // namespace longhaul
