// The order of a dataset, kept between runs.
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "corpora.h"
#include "data/gpt_index.h"
#include "data/index_array.h"
#include "data/index_array_writer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/core/path_lock.h"
#include "longhaul/data/gpt_dataset.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

template <typename T>
void save(const std::vector<T>& values, const fs::path& file, int64_t columns = 1) {
  IndexArrayWriter writer(file, index_array_type<T>(), static_cast<int64_t>(values.size()) / columns, columns);
  writer.append(std::span(values));
  writer.finish();
}

class IndexCacheTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_documents(path("g"), TokenType::uint16, corpus_g());
    log::open_file(folder_ / "log");
  }
  void TearDown() override {
    log::close_file();
    FolderTest::TearDown();
  }

  // The tokens of all samples, one after another.
  std::vector<int64_t> tokens(const std::string& cache, int64_t samples = 10) {
    GptDatasetOptions options;
    options.sequence_length = 4;
    options.samples = samples;
    options.cache_dir = cache;
    const GptDataset dataset(std::make_shared<const IndexedDatasetReader>(path("g")), options);
    std::vector<int64_t> all;
    Sample sample;
    for (int64_t i = 0; i < dataset.size(); ++i) {
      dataset.get(i, sample);
      all.insert(all.end(), sample.tokens.begin(), sample.tokens.end());
    }
    return all;
  }
  fs::path file(const std::string& ending) const {
    for (const auto& entry : fs::directory_iterator(folder_ / "cache")) {
      if (entry.path().string().ends_with(ending)) return entry.path();
    }
    return {};
  }
  std::map<fs::path, fs::file_time_type> times() const {
    std::map<fs::path, fs::file_time_type> result;
    for (const auto& entry : fs::directory_iterator(folder_ / "cache")) result[entry.path()] = entry.last_write_time();
    return result;
  }
  std::string log_text() const { return read_text(folder_ / "log"); }
};

TEST_F(IndexCacheTest, IsWrittenOnceAndFoundAgain) {
  const auto first = tokens(path("cache"));
  EXPECT_EQ(files_in(path("cache")), 5) << "three arrays, the description and the record of the source";
  const auto before = times();
  EXPECT_EQ(tokens(path("cache")), first);
  EXPECT_EQ(times(), before);
  EXPECT_EQ(log_text().find("built anew"), std::string::npos);
}

TEST_F(IndexCacheTest, StandsBesideTheDatasetByDefault) {
  tokens("");
  EXPECT_EQ(files_in(folder_ / "g" / "cache" / "GPTDataset_indices"), 5);
}

TEST_F(IndexCacheTest, AChangedDatasetIsBuiltAnew) {
  tokens(path("cache"));
  auto documents = corpus_g();
  std::swap(documents[0], documents[1]);  // the same sizes in all, other lengths
  write_documents(path("g"), TokenType::uint16, documents);
  const auto fresh = tokens(path("other"));
  EXPECT_EQ(tokens(path("cache")), fresh);
  EXPECT_CONTAINS(log_text(), "built anew");
  EXPECT_CONTAINS(log_text(), "another state of " + path("g") + " (train), or");
}

TEST_F(IndexCacheTest, DamageIsBuiltAnew) {
  const auto expected = tokens(path("cache"));
  for (const std::string ending : {"document_index.npy", "sample_index.npy", "shuffle_index.npy"}) {
    const std::string whole = read_text(file(ending));
    std::vector<std::string> damaged = {"", whole.substr(0, 60), whole.substr(0, whole.size() - 4), whole + "1234"};
    for (const size_t position : {size_t{1}, size_t{20}, size_t{60}, whole.size() - 1}) {
      damaged.push_back(whole);
      damaged.back()[position] ^= 1;
    }
    for (const std::string& text : damaged) {
      write_plainly(file(ending), text);
      EXPECT_EQ(tokens(path("cache")), expected);
      EXPECT_EQ(read_text(file(ending)), whole) << "it was not written anew";
    }
    fs::remove(file(ending));
    EXPECT_EQ(tokens(path("cache")), expected);
    EXPECT_FALSE(file(ending).empty());
  }
  EXPECT_CONTAINS(log_text(), "is damaged");
  save(std::vector<int32_t>{0, 1, 2}, file("document_index.npy"));
  EXPECT_EQ(tokens(path("cache")), expected);
  EXPECT_CONTAINS(log_text(), "where 12 x 1 are due");
}

// Megatron writes no record of the source: its files serve as long as they are not older than the dataset.
TEST_F(IndexCacheTest, FilesWithoutARecordServeWhileTheyAreNewer) {
  const auto expected = tokens(path("cache"));
  fs::remove(file("source.json"));
  const auto before = times();
  EXPECT_EQ(tokens(path("cache")), expected);
  EXPECT_EQ(times(), before);

  const std::string whole = read_text(file("document_index.npy"));
  std::string wild = whole;
  wild[wild.size() - 1] = 1;  // a document number of 2^24
  write_text(file("document_index.npy"), wild);
  EXPECT_EQ(tokens(path("cache")), expected);
  EXPECT_CONTAINS(log_text(), "outside [0, 6)");

  fs::remove(file("source.json"));
  fs::last_write_time(file("description.txt"), fs::last_write_time(path("g.idx")) - std::chrono::seconds(1));
  EXPECT_EQ(tokens(path("cache")), expected);
  EXPECT_CONTAINS(log_text(), "is older than");
}

TEST_F(IndexCacheTest, AFolderThatCantBeWrittenIsAWarningOnce) {
  write_text(path("file"), "");
  const std::string unwritable = path("file/cache");
  const auto expected = tokens(path("cache"));
  EXPECT_EQ(tokens(unwritable), expected);
  EXPECT_EQ(tokens(unwritable), expected);
  const std::string text = log_text();
  const size_t first = text.find("is not cached");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("is not cached", first + 1), std::string::npos) << text;
  EXPECT_CONTAINS(text, "data.cache_dir");
}

TEST_F(IndexCacheTest, ManyThreadsMayAskAtOnce) {
  std::vector<std::vector<int64_t>> results(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) threads.emplace_back([&] { result = tokens(path("cache")); });
  }
  for (const auto& result : results) EXPECT_EQ(result, results[0]);
  EXPECT_EQ(files_in(path("cache")), 5);
}

// Whoever builds an order keeps others from building the same, and from nothing else.
TEST_F(IndexCacheTest, OneIsBuiltWhileAnotherIsLocked) {
  const auto expected = tokens(path("cache"));
  const std::string start = file("-description.txt").string();
  const fs::path lock = start.substr(0, start.size() - std::string("description.txt").size()) + "lock";
  fs::remove(file("-description.txt"));
  auto held = PathLock::try_transient(lock);
  ASSERT_TRUE(held.has_value());
  std::vector<int64_t> result;
  std::atomic<bool> done = false;
  {
    std::jthread waits([&] {
      result = tokens(path("cache"));
      done = true;
    });
    const auto others = tokens(path("cache"), 5);
    EXPECT_FALSE(others.empty());
    EXPECT_FALSE(done);
    held.reset();
  }
  EXPECT_EQ(result, expected);
  EXPECT_EQ(files_in(path("cache")), 10) << "two orders, and no lock";
}

TEST_F(IndexCacheTest, WhatAKilledProcessLeftIsRemoved) {
  const auto expected = tokens(path("cache"));
  std::string lock = file("-description.txt").string();
  lock.replace(lock.find("description.txt"), std::string::npos, "lock");
  fs::remove(file("-description.txt"));
  write_text(lock, "");
  EXPECT_EQ(tokens(path("cache")), expected);
  EXPECT_EQ(files_in(path("cache")), 5);
}

TEST_F(IndexCacheTest, ArraysHaveNumPysFormat) {
  save(std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, folder_ / "a.npy", 2);
  const std::string text = read_text(folder_ / "a.npy");
  EXPECT_EQ(text.size(), 128U + 14 * 4);
  const std::string dictionary = "{'descr': '<i4', 'fortran_order': False, 'shape': (7, 2), }";
  EXPECT_EQ(text.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(text.substr(10, dictionary.size()), dictionary);
  EXPECT_EQ(text.substr(127, 1), "\n");
  const IndexArray loaded = IndexArray::load(folder_ / "a.npy");
  EXPECT_EQ(loaded.rows(), 7);
  EXPECT_EQ(loaded.columns(), 2);
  EXPECT_EQ(loaded[13], 14);

  save(std::vector<uint32_t>{4000000000U}, folder_ / "b.npy");
  EXPECT_CONTAINS(read_text(folder_ / "b.npy"), "'<u4', 'fortran_order': False, 'shape': (1,), }");
  EXPECT_EQ(IndexArray::load(folder_ / "b.npy")[0], 4000000000);
  save(std::vector<int64_t>{int64_t{1} << 40}, folder_ / "c.npy");
  EXPECT_EQ(IndexArray::load(folder_ / "c.npy")[0], int64_t{1} << 40);
}

}  // namespace
}  // namespace longhaul
