#include "longhaul/data/datasets.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "corpora.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/mock_dataset.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

class DatasetsTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_documents(path("l"), TokenType::uint16, corpus_l());
    config_.train = path("l");
    config_.cache_dir = path("cache");
    config_.sequence_length = 64;
  }
  std::string error(const RequestedSamples& requested = {10, 10, 10}) {
    return message_of<UserError>([&] { build_datasets(config_, requested, {1000}); });
  }
  DataConfig config_;
};

TEST_F(DatasetsTest, OneFileIsCutInThree) {
  const Datasets datasets = build_datasets(config_, {2000, 20, 5}, {1000});
  const auto train = std::dynamic_pointer_cast<const GptDataset>(datasets.train);
  ASSERT_NE(train, nullptr);
  EXPECT_GE(train->size(), 2000);
  EXPECT_GE(datasets.valid->size(), 20);
  EXPECT_GE(datasets.test->size(), 5);
  // The documents of corpus L hold their own numbers, so each split's tokens tell where they are from.
  const std::map<const Dataset*, std::pair<int64_t, int64_t>> ranges = {
      {datasets.train.get(), {0, 969}}, {datasets.valid.get(), {969, 999}}, {datasets.test.get(), {999, 1000}}};
  Sample sample;
  for (const auto& [dataset, range] : ranges) {
    for (int64_t i = 0; i < dataset->size(); ++i) {
      dataset->get(i, sample);
      for (const int64_t token : sample.tokens) ASSERT_TRUE(token >= range.first && token < range.second);
    }
  }
}

TEST_F(DatasetsTest, WhatIsNotRequestedOrHasNoShareIsNotBuilt) {
  Datasets datasets = build_datasets(config_, {10, 0, 0}, {1000});
  EXPECT_NE(datasets.train, nullptr);
  EXPECT_EQ(datasets.valid, nullptr);
  EXPECT_EQ(datasets.test, nullptr);
  config_.split = "98,2,0";
  datasets = build_datasets(config_, {10, std::nullopt, 10}, {1000});
  EXPECT_EQ(dynamic_cast<const GptDataset&>(*datasets.valid).epochs(), 1);
  EXPECT_EQ(datasets.test, nullptr);
}

TEST_F(DatasetsTest, FilesOfTheirOwnAreUsedWhole) {
  write_documents(path("v"), TokenType::int32, {{7, 7, 7, 7, 7, 7, 7}, {7, 7, 7}});
  config_.valid = path("v");
  config_.sequence_length = 4;
  const Datasets datasets = build_datasets(config_, {10, std::nullopt, 10}, {1000});
  EXPECT_EQ(dynamic_cast<const GptDataset&>(*datasets.train).tokens_per_epoch(), 98756);
  EXPECT_EQ(datasets.valid->size(), 2);
  EXPECT_EQ(datasets.test, nullptr);
}

// Those of a blend are built side by side. A corpus by itself makes the same files.
TEST_F(DatasetsTest, TheCorporaOfABlendHaveTheOrderOfEachAlone) {
  config_.cache_dir.clear();
  std::string blend;
  for (const char* weight : {"1", "2", "0.5", "3", "1.5", "2.5"}) {
    const std::string prefix = path("corpus" + std::to_string(blend.size()));
    auto documents = corpus_l();
    documents.resize(100 + 7 * blend.size());
    write_documents(prefix, TokenType::uint16, documents);
    blend += fmt::format("{} {} ", weight, prefix);
  }
  config_.train = blend + "0.25 " + config_.train + " 0.75 " + config_.train;  // one file twice
  const Datasets datasets = build_datasets(config_, {3000, 20, 0}, {1000});
  int compared = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
    const std::string name = file.path().filename().string();
    if (!name.ends_with("-GPTDataset-train-description.txt")) continue;
    const auto description = nlohmann::json::parse(read_text(file.path()));
    GptDatasetOptions options;
    options.split_string = config_.split;
    options.sequence_length = config_.sequence_length;
    options.samples = description.at("num_samples");
    options.seed = static_cast<uint32_t>(config_.seed);
    options.cache_dir = path("alone");
    const std::string prefix = file.path().parent_path().parent_path().parent_path().string();
    const GptDataset alone(std::make_shared<const IndexedDatasetReader>(prefix), options);
    for (const char* array : {"document", "sample", "shuffle"}) {
      const std::string npy =
          name.substr(0, name.size() - std::string_view("description.txt").size()) + array + "_index.npy";
      EXPECT_EQ(read_text(file.path().parent_path() / npy), read_text(std::filesystem::path(path("alone")) / npy))
          << npy;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 3 * 8);
}

TEST_F(DatasetsTest, OfABlendTheFirstCorpusThatFailsIsNamed) {
  for (int round = 0; round < 5; ++round) {
    std::string blend;
    for (int i = 0; i < 8; ++i) {
      const std::string prefix = path(fmt::format("round{}-{}", round, i));
      write_documents(prefix, TokenType::uint16, corpus_g());
      if (i == 5 || i == 6) std::filesystem::resize_file(prefix + ".idx", 40);
      blend += "1 " + prefix + " ";
    }
    config_.train = blend;
    config_.split = "1,0,0";
    config_.sequence_length = 4;
    EXPECT_CONTAINS(error({10, 0, 0}), fmt::format("round{}-5.idx is truncated", round));
  }
}

TEST_F(DatasetsTest, ContradictionsAreRefused) {
  config_.seed = -1;
  EXPECT_CONTAINS(error(), "data.seed is -1");
  config_.seed = 1234;
  config_.sequence_length = 0;
  EXPECT_CONTAINS(error(), "data.sequence_length is 0");
  config_.sequence_length = 64;
  config_.mock = true;
  EXPECT_CONTAINS(error(), "exclude each other");
  config_.mock = false;
  config_.split = "0,1,0";
  EXPECT_CONTAINS(error(), "leaves nothing to train on");
  config_.valid = path("l");
  EXPECT_CONTAINS(error(), "every file is used whole");
  config_ = DataConfig();
  EXPECT_CONTAINS(error(), "no training data");
  write_documents(path("tiny"), TokenType::uint16, corpus_g());
  config_.train = path("tiny");
  EXPECT_CONTAINS(error(), "the valid split (data.split = \"969,30,1\") of " + path("tiny") + " has no tokens");
}

TEST_F(DatasetsTest, MockDataIsDeterministicAndLearnable) {
  config_.train.clear();
  config_.mock = true;
  const Datasets datasets = build_datasets(config_, {50, 5, 0}, {300});
  const Datasets again = build_datasets(config_, {80, 5, 0}, {300});
  ASSERT_EQ(datasets.train->size(), 50);
  EXPECT_EQ(datasets.test, nullptr);
  Sample sample;
  Sample other;
  std::map<std::pair<int64_t, int64_t>, std::map<int64_t, int64_t>> followers;
  for (int64_t i = 0; i < 50; ++i) {
    datasets.train->get(i, sample);
    again.train->get(i, other);
    EXPECT_EQ(sample.tokens, other.tokens) << "the number of samples must not change them";
    ASSERT_EQ(sample.tokens.size(), 64U);
    for (size_t k = 0; k + 1 < 64; ++k) {
      EXPECT_EQ(sample.labels[k], sample.tokens[k + 1]);
      ASSERT_TRUE(sample.tokens[k] >= 0 && sample.tokens[k] < 300);
      if (k > 0) ++followers[{sample.tokens[k - 1], sample.tokens[k]}][sample.labels[k]];
    }
  }
  datasets.valid->get(0, other);
  datasets.train->get(0, sample);
  EXPECT_NE(sample.tokens, other.tokens) << "the splits differ";
  // Inside a phrase the last two tokens decide the next: most of the time a table of them is right.
  int64_t right = 0;
  int64_t all = 0;
  for (const auto& [pair, counts] : followers) {
    int64_t best = 0;
    for (const auto& [token, count] : counts) {
      best = std::max(best, count);
      all += count;
    }
    right += best;
  }
  EXPECT_GT(static_cast<double>(right), 0.7 * static_cast<double>(all));
  EXPECT_CONTAINS(message_of<UserError>([&] { build_datasets(config_, {1, 0, 0}, {1}); }), "model.vocab_size is 1");
}

}  // namespace
}  // namespace longhaul
