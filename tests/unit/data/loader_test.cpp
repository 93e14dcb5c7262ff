#include "longhaul/data/loader.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "corpora.h"
#include "longhaul/core/error.h"
#include "longhaul/data/data_config.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

// Sample i holds the token i, S times.
class CountingDataset : public Dataset {
 public:
  explicit CountingDataset(int64_t size, int64_t bad = -1) : size_(size), bad_(bad) {}
  int64_t size() const override { return size_; }
  void get(int64_t index, Sample& sample) const override {
    if (index == bad_) throw EnvironmentError("sample {} cannot be read", index);
    if (index % 7 == 3) std::this_thread::sleep_for(std::chrono::microseconds(300));
    sample.tokens.assign(3, index);
    sample.labels.assign(3, index + 1);
    sample.valid = 3;
    ++read_;
  }
  std::vector<SamplePart> parts(int64_t) const override { return {}; }
  std::string order_id() const override { return "counting"; }
  mutable std::atomic<int64_t> read_{0};

 private:
  int64_t size_;
  int64_t bad_;
};

LoaderOptions loader_options(int64_t threads = 1, int64_t prefetch = 4) {
  LoaderOptions options;
  options.sequence_length = 3;
  options.threads = threads;
  options.prefetch = prefetch;
  return options;
}

std::vector<int64_t> first_tokens(const Batch& batch) {
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < batch.sequences; ++i) tokens.push_back(batch.tokens[static_cast<size_t>(i * 3)]);
  return tokens;
}

using Integers = std::vector<int64_t>;

TEST(LoaderTest, OrderIsTheSamplersForAnyNumberOfThreads) {
  const auto dataset = std::make_shared<CountingDataset>(200);
  for (const int64_t threads : {1, 2, 5}) {
    for (const int64_t prefetch : {1, 3, 16}) {
      LoaderOptions options = loader_options(threads, prefetch);
      options.rank = 1;
      Loader loader(dataset, {.micro_batch = 2, .ranks = 2}, options, 8);
      Batch batch;
      for (int64_t step = 0; step < 48; ++step) {
        ASSERT_TRUE(loader.next(batch));
        const int64_t first = 8 + 4 * step + 2;
        ASSERT_EQ(first_tokens(batch), (Integers{first, first + 1}));
        ASSERT_EQ(loader.consumed(), 8 + 4 * (step + 1));
      }
      EXPECT_GE(loader.wait_seconds(), 0);
    }
  }
}

// 22 samples make passes of 20: the loader goes from one to the next.
TEST(LoaderTest, ACyclicSamplerNeverEnds) {
  const auto dataset = std::make_shared<CountingDataset>(22);
  const SamplerOptions cyclic{.kind = SamplerKind::cyclic, .micro_batch = 2, .ranks = 2};
  Sampler sampler(cyclic, dataset->size());
  for (const int64_t threads : {1, 3}) {
    LoaderOptions options = loader_options(threads, 7);
    options.rank = 1;
    Loader loader(dataset, cyclic, options, 16);
    Batch batch;
    Integers expected;
    for (int64_t consumed = 16; consumed < 104; consumed += 4) {
      ASSERT_TRUE(loader.next(batch));
      sampler.read_at(consumed, 1, expected);
      ASSERT_EQ(first_tokens(batch), expected) << consumed;
    }
  }
}

TEST(LoaderTest, RunningOutSaysHowMuchThereWas) {
  Loader loader(std::make_shared<CountingDataset>(10), {.micro_batch = 4}, loader_options());
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  ASSERT_TRUE(loader.next(batch));
  for (int i = 0; i < 2; ++i) {
    const std::string message = message_of<UserError>([&] { loader.next(batch); });
    EXPECT_CONTAINS(message, "it holds 10, and 8 are consumed");
  }
}

TEST(LoaderTest, AnErrorComesInThePlaceOfItsBatch) {
  Loader loader(std::make_shared<CountingDataset>(100, 11), {.micro_batch = 2}, loader_options(3, 8));
  Batch batch;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(message_of<EnvironmentError>([&] { loader.next(batch); }), "sample 11 cannot be read");
}

TEST(LoaderTest, AnEvaluationEnds) {
  LoaderOptions options = loader_options(2, 2);
  options.batches = 3;
  Batch batch;
  for (const int64_t start : {0, 40}) {
    Loader loader(std::make_shared<CountingDataset>(100), {.micro_batch = 2}, options, start);
    for (int64_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(loader.next(batch));
      EXPECT_EQ(first_tokens(batch), (Integers{start + 2 * i, start + 2 * i + 1}));
    }
    EXPECT_FALSE(loader.next(batch));
    EXPECT_FALSE(loader.next(batch));
    EXPECT_EQ(loader.consumed(), start + 6);
  }
}

TEST(LoaderTest, IsNoFurtherAheadThanAsked) {
  const auto dataset = std::make_shared<CountingDataset>(1000);
  Loader loader(dataset, {}, loader_options(2, 4));
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(dataset->read_, 5) << "one handed out and four ahead";
}

class BatchTest : public ::testing::Test {
 protected:
  // Corpus G, 12 tokens a sample, seed 1234: its first sample, as Megatron serves it.
  const Sample sample_{{300, 301, 302, 303, 304, 305, 306, 999, 200, 201, 999, 600},
                       {301, 302, 303, 304, 305, 306, 999, 200, 201, 999, 600, 601},
                       12};
  Batch two_of(const MaskOptions& options) {
    Batch batch;
    start_batch(batch, 12);
    append_sample(batch, sample_, options);
    append_sample(batch, sample_, options);
    return batch;
  }
};

TEST_F(BatchTest, PlainSequences) {
  const Batch batch = two_of({});
  EXPECT_EQ(batch.sequences, 2);
  EXPECT_EQ(batch.token_count(), 24);
  EXPECT_EQ(batch.tokens[12], 300);
  EXPECT_EQ(batch.loss_mask, std::vector<float>(24, 1));
  EXPECT_TRUE(batch.positions.empty());
  EXPECT_EQ(batch.cu_seqlens, (std::vector<int32_t>{0, 12, 24}));
}

TEST_F(BatchTest, EndOfDocumentResets) {
  MaskOptions options{999, true, true, true};
  const Batch batch = two_of(options);
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(batch.loss_mask[i], i % 12 == 7 || i % 12 == 10 ? 0 : 1) << i;
  const Integers positions{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 0};
  EXPECT_EQ(Integers(batch.positions.begin(), batch.positions.begin() + 12), positions);
  EXPECT_EQ(Integers(batch.positions.begin() + 12, batch.positions.end()), positions);
  EXPECT_EQ(batch.cu_seqlens, (std::vector<int32_t>{0, 8, 11, 12, 20, 23, 24}));
}

TEST_F(BatchTest, AnEndOfDocumentAtTheEndMakesNoEmptyPiece) {
  Batch batch;
  start_batch(batch, 2);
  append_sample(batch, {{5, 999}, {999, 7}, 2}, {999, false, false, true});
  EXPECT_EQ(batch.cu_seqlens, (std::vector<int32_t>{0, 2}));
}

TEST_F(BatchTest, PaddingHasNoLoss) {
  Batch batch;
  start_batch(batch, 5);
  append_sample(batch, {{502, 999, 999, 0, 0}, {999, 999, 0, 0, 0}, 2}, {});
  EXPECT_EQ(batch.loss_mask, (std::vector<float>{1, 1, 0, 0, 0}));
}

TEST(MaskOptionsTest, ResetsNeedAnEndOfDocumentToken) {
  DataConfig config;
  EXPECT_FALSE(mask_options(config, std::nullopt, "").eod_id.has_value());
  config.reset_attention_mask = true;
  const auto message = message_of<UserError>([&] { mask_options(config, std::nullopt, "nobody knows it"); });
  EXPECT_CONTAINS(message, "reset_attention_mask need an end-of-document token, but nobody knows it; ");
  EXPECT_TRUE(mask_options(config, 2, "").reset_attention_mask);
}

}  // namespace
}  // namespace longhaul
