// A blend read by several data-parallel ranks, as processes and threads of a run do it.
#include <memory>
#include <thread>

#include "corpora.h"
#include "longhaul/core/log.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/loader.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

class BlendRanksTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_documents(path("g"), TokenType::uint16, corpus_g());
    auto longer = corpus_l();
    for (auto& document : longer) document.back() = 999;
    write_documents(path("l"), TokenType::uint16, longer);
    config_.train = fmt::format("0.3 {} 0.7 {}", path("g"), path("l"));
    config_.split = "1,0,0";
    config_.sequence_length = 4;
    config_.cache_dir = path("cache");
    log::open_file(folder_ / "log");
  }
  void TearDown() override {
    log::close_file();
    FolderTest::TearDown();
  }

  std::shared_ptr<const Dataset> train() const { return build_datasets(config_, {kSamples, 0, 0}, {}).train; }

  // The tokens of the samples that this rank reads, sample by sample.
  std::vector<std::vector<int64_t>> read(int64_t ranks, int64_t rank, int64_t micro_batch, int64_t consumed,
                                         int64_t samples) const {
    LoaderOptions options;
    options.sequence_length = config_.sequence_length;
    options.threads = 2;
    options.batches = samples / (ranks * micro_batch);
    options.rank = rank;
    Loader loader(train(), {.micro_batch = micro_batch, .ranks = ranks}, options, consumed);
    std::vector<std::vector<int64_t>> read;
    for (Batch batch; loader.next(batch);) {
      for (auto at = batch.tokens.begin(); at != batch.tokens.end(); at += config_.sequence_length) {
        read.emplace_back(at, at + config_.sequence_length);
      }
    }
    return read;
  }

  static constexpr int64_t kSamples = 240;
  DataConfig config_;
};

// Step by step, what the ranks read one after another is what one rank reads, from any sample on.
TEST_F(BlendRanksTest, AllRanksTogetherReadTheOrderOfOne) {
  const auto one = read(1, 0, 1, 0, kSamples);
  ASSERT_EQ(one.size(), static_cast<size_t>(kSamples));
  for (const auto& [ranks, micro_batch, consumed] :
       {std::tuple{2, 1, 0}, {3, 4, 24}, {4, 2, 0}, {8, 5, 40}, {1, 8, 16}}) {
    const int64_t stride = ranks * micro_batch, samples = (kSamples - consumed) / stride * stride;
    std::vector<std::vector<std::vector<int64_t>>> of_rank(static_cast<size_t>(ranks));
    {
      std::vector<std::jthread> threads;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        threads.emplace_back([&, rank, micro_batch = micro_batch, consumed = consumed, ranks = ranks] {
          of_rank[static_cast<size_t>(rank)] = read(ranks, rank, micro_batch, consumed, samples);
        });
      }
    }
    std::vector<std::vector<int64_t>> all;
    for (int64_t step = 0; step < samples / stride; ++step) {
      for (const auto& mine : of_rank)
        all.insert(all.end(), mine.begin() + step * micro_batch, mine.begin() + (step + 1) * micro_batch);
    }
    EXPECT_EQ(all, std::vector(one.begin() + consumed, one.begin() + consumed + samples))
        << ranks << " x " << micro_batch;
  }
}

TEST_F(BlendRanksTest, OneBuildsWhileTheOthersWait) {
  {
    std::vector<std::jthread> ranks;
    for (int rank = 0; rank < 6; ++rank) ranks.emplace_back([&] { train(); });
  }
  const std::string text = read_text(folder_ / "log");
  size_t built = 0;
  for (size_t at = 0; (at = text.find("built the order", at)) != std::string::npos; ++at) ++built;
  EXPECT_EQ(built, 3U) << "two corpora and their blend\n" << text;
  EXPECT_EQ(text.find("built anew"), std::string::npos) << text;
}

// What a killed builder leaves: some arrays, one under its temporary name and cut off, no description.
TEST_F(BlendRanksTest, AnUnfinishedCacheIsNeverRead) {
  const auto expected = read(1, 0, 1, 0, kSamples);
  for (const auto& entry : fs::directory_iterator(path("cache"))) {
    const std::string name = entry.path();
    if (name.ends_with("description.txt")) fs::remove(entry.path());
  }
  for (const auto& entry : fs::directory_iterator(path("cache"))) {
    if (!entry.path().string().ends_with(".npy")) continue;
    const std::string whole = read_text(entry.path());
    write_plainly(entry.path().string() + ".partial-1", whole.substr(0, 150));
    std::string wrong = whole;
    wrong.back() ^= 1;
    wrong[130] ^= 1;
    write_plainly(entry.path(), wrong);
  }
  EXPECT_EQ(read(1, 0, 1, 0, kSamples), expected);
}

}  // namespace
}  // namespace longhaul
