// What a blend is written like, and the datasets that come of it.
#include "longhaul/data/blend.h"

#include <memory>

#include "corpora.h"
#include "data/md5.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/data/blended_dataset.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/gpt_dataset.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Weights = std::vector<double>;
using Prefixes = std::vector<std::string>;

// Sequences of these lengths; token k of sequence i is base + 10 i + k, the last of each 999.
std::vector<std::vector<int32_t>> documents(int32_t base, const std::vector<int32_t>& lengths) {
  std::vector<std::vector<int32_t>> all;
  for (const int32_t length : lengths) {
    std::vector<int32_t> tokens;
    for (int32_t k = 0; k + 1 < length; ++k) tokens.push_back(base + 10 * static_cast<int32_t>(all.size()) + k);
    tokens.push_back(999);
    all.push_back(tokens);
  }
  return all;
}

class BlendTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_documents(path("p"), TokenType::uint16, documents(100, {5, 3, 8, 1, 4, 7}));
    write_documents(path("q"), TokenType::uint16, documents(200, {6, 6, 6}));
    config_.cache_dir = path("cache");
    config_.sequence_length = 4;
    config_.split = "1,0,0";
  }
  std::shared_ptr<const Dataset> train(int64_t samples) const {
    return build_datasets(config_, {samples, 0, 0}, {1000}).train;
  }
  static std::vector<int64_t> tokens(const Dataset& dataset, int64_t index) {
    Sample sample;
    dataset.get(index, sample);
    return sample.tokens;
  }
  std::string error(const std::string& text) const {
    return message_of<UserError>([&] { parse_blend(text, "data.train"); });
  }
  DataConfig config_;
};

TEST_F(BlendTest, IsWeightsAndPrefixesOrPrefixesAlone) {
  EXPECT_EQ(parse_blend("", "data.train"), Blend{});
  EXPECT_EQ(parse_blend("a/b", "data.train"), (Blend{{"a/b"}, std::nullopt}));
  EXPECT_EQ(parse_blend(" a  b\tc ", "data.train"), (Blend{{"a", "b", "c"}, std::nullopt}));
  EXPECT_EQ(parse_blend("30 a", "data.train"), (Blend{{"a"}, Weights{30}}));
  EXPECT_EQ(parse_blend("0.3 a 7e-1 b", "data.train"), (Blend{{"a", "b"}, Weights{0.3, 0.7}}));
  EXPECT_EQ(parse_blend("1 ./5 2 a2", "data.train"), (Blend{{"./5", "a2"}, Weights{1, 2}}));
}

TEST_F(BlendTest, AFileThatIsThereIsOnePrefixWhateverItsName) {
  for (const std::string name : {"two words", "0.3 x", "@at"}) {
    write_documents(path(name), TokenType::uint16, corpus_g());
    EXPECT_EQ(parse_blend(path(name), "data.train"), (Blend{{path(name)}, std::nullopt}));
    EXPECT_EQ(parse_blend(path(name) + ".bin", "data.train").prefixes.size(), 1U);
  }
}

TEST_F(BlendTest, MistakesAreNamed) {
  EXPECT_CONTAINS(error("0.3 a b"), "piece 3, \"b\", should be a weight");
  EXPECT_CONTAINS(error("0.5 a b c"), "piece 3, \"b\", should be a weight");
  EXPECT_CONTAINS(error("a 0.3 b"), "piece 1, \"a\", should be a weight");
  EXPECT_CONTAINS(error("0.3"), "after the last weight, 0.3, no prefix follows");
  for (const std::string weight : {"0", "-2", "nan", "inf", "1e999"}) {
    EXPECT_CONTAINS(error("1 a " + weight + " b"), "piece 3, the weight \"" + weight + "\", must be a number above 0");
  }
  EXPECT_CONTAINS(error(" \t"), "data.train is blank");
  EXPECT_CONTAINS(error("@" + path("none")), "none");
}

TEST_F(BlendTest, StandsInAFile) {
  const auto of = [&](const std::string& text, const std::string& key = "data.train") {
    write_text(path("file"), text);
    return parse_blend("@" + path("file"), key);
  };
  EXPECT_EQ(of("0.5 a\n0.5 b\n"), (Blend{{"a", "b"}, Weights{.5, .5}}));
  EXPECT_EQ(of("[0.5, \"my a\", \"0.5\", \"b\"]"), (Blend{{"my a", "b"}, Weights{.5, .5}}));
  const std::string all = R"({"train": ["a", "b"], "valid": "1 v 2 w", "test": null})";
  EXPECT_EQ(of(all), (Blend{{"a", "b"}, std::nullopt}));
  EXPECT_EQ(of(all, "data.valid"), (Blend{{"v", "w"}, Weights{1, 2}}));
  EXPECT_EQ(of(all, "data.test"), Blend{});
  EXPECT_EQ(of(""), Blend{});
  write_text(path("file"), "[0.5, ");
  EXPECT_CONTAINS(error("@" + path("file")), "begins like JSON");
  write_text(path("file"), "{\"valid\": []}");
  EXPECT_CONTAINS(error("@" + path("file")), "has no list \"train\"");
  write_text(path("file"), "[[1, \"a\"]]");
  EXPECT_CONTAINS(error("@" + path("file")), "holds [1,\"a\"] among");
}

TEST_F(BlendTest, ReplayTakesItsShare) {
  const Blend mixed = with_replay({{"a", "b"}, Weights{3, 1}}, {{"r"}, std::nullopt}, 0.25);
  EXPECT_EQ(mixed.prefixes, (Prefixes{"a", "b", "r"}));
  EXPECT_EQ(*mixed.weights, (Weights{0.75 * 0.75, 0.75 * 0.25, 0.25}));
  EXPECT_CONTAINS(message_of<UserError>([] {
                    with_replay({{"a", "b"}, std::nullopt}, {{"r"}, std::nullopt}, 0.1);
                  }),
                  "data.train names several corpora without weights");
  config_.train = path("p");
  config_.replay = path("q");
  config_.replay_fraction = 0.5;
  EXPECT_EQ(corpora(config_), (Prefixes{path("p"), path("q")}));
  const auto dataset = train(10);
  int64_t replayed = 0;
  for (int64_t i = 0; i < 10; ++i) replayed += dataset->parts(i)[0].corpus == path("q");
  EXPECT_EQ(replayed, 5);
  // Evaluation stays with what is trained for.
  config_.split = "1,1,0";
  config_.sequence_length = 2;
  const Datasets both = build_datasets(config_, {10, 2, 0}, {1000});
  for (int64_t i = 0; i < both.valid->size(); ++i) EXPECT_EQ(both.valid->parts(i)[0].corpus, path("p"));
}

// Megatron's own order and samples for this blend.
TEST_F(BlendTest, SamplesAreMegatrons) {
  config_.train = "0.3 " + path("p") + " 0.7 " + path("q");
  const auto dataset = std::dynamic_pointer_cast<const BlendedDataset>(train(10));
  ASSERT_NE(dataset, nullptr);
  ASSERT_EQ(dataset->size(), 10);
  EXPECT_EQ(dataset->datasets()[0]->size(), 6);
  EXPECT_EQ(dataset->datasets()[1]->size(), 8);
  const std::vector<std::vector<int64_t>> expected = {
      {202, 203, 204, 999}, {120, 121, 122, 123}, {220, 221, 222, 223}, {220, 221, 222, 223}, {155, 999, 100, 101},
      {224, 999, 200, 201}, {212, 213, 214, 999}, {151, 152, 153, 154}, {210, 211, 212, 213}, {224, 999, 210, 211}};
  for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(tokens(*dataset, i), expected[static_cast<size_t>(i)]) << i;
  const std::vector<SamplePart> parts = dataset->parts(4);  // two tokens of document 5 and three of document 0
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].corpus, path("p"));
  EXPECT_EQ(parts[0].document, 5);
  EXPECT_EQ(parts[0].begin, 5);
  EXPECT_EQ(parts[0].count, 2);
  EXPECT_EQ(parts[1].document, 0);
  EXPECT_EQ(parts[1].count, 3);
}

TEST_F(BlendTest, BySizeIsReadOnceAndNoMore) {
  config_.train = path("p") + " " + path("q");
  const auto all = build_datasets(config_, {std::nullopt, 0, 0}, {1000}).train;
  EXPECT_EQ(all->size(), 6 + 4);
  EXPECT_EQ(train(1000)->size(), 10);
  EXPECT_EQ(train(7)->size(), 7);
  for (int64_t i = 0; i < 7; ++i) EXPECT_EQ(tokens(*train(7), i), tokens(*all, i));
}

TEST_F(BlendTest, OrderIdTellsWeightsApartButNotLengths) {
  config_.train = "0.3 " + path("p") + " 0.7 " + path("q");
  const std::string ten = train(10)->order_id();
  EXPECT_EQ(train(9)->order_id(), ten);
  config_.train = "0.4 " + path("p") + " 0.6 " + path("q");
  EXPECT_NE(train(10)->order_id(), ten);
  EXPECT_CONTAINS(message_of<UserError>([&] {
                    build_datasets(config_, {std::nullopt, 0, 0}, {1000});
                  }),
                  "a blend with weights has no end of its own");
}

TEST_F(BlendTest, IsCachedBesideItsFirstCorpus) {
  config_.cache_dir.clear();
  config_.train = "0.3 " + path("p") + " 0.7 " + path("q");
  const auto first = train(10);
  EXPECT_EQ(files_in(folder_ / "p" / "cache" / "BlendedDataset_indices"), 4);
  EXPECT_EQ(train(10)->order_id(), first->order_id());
}

}  // namespace
}  // namespace longhaul
