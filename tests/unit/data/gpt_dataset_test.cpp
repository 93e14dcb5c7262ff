#include "longhaul/data/gpt_dataset.h"

#include <memory>
#include <string>
#include <vector>

#include "corpora.h"
#include "data/dataset_description.h"
#include "data/python_json.h"
#include "data/gpt_index.h"
#include "data/md5.h"
#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Integers = std::vector<int64_t>;

Integers values(const IndexArray& array) {
  Integers out;
  for (int64_t i = 0; i < array.rows() * array.columns(); ++i) out.push_back(array[i]);
  return out;
}

std::string md5_of(const IndexArray& array) {
  return md5_hex({reinterpret_cast<const char*>(array.bytes().data()), array.bytes().size()});
}

class GptDatasetTest : public FolderTest {
 protected:
  std::shared_ptr<const IndexedDatasetReader> corpus(const std::string& name,
                                                     const std::vector<std::vector<int32_t>>& documents) {
    write_documents(path(name), TokenType::uint16, documents);
    return std::make_shared<const IndexedDatasetReader>(path(name));
  }
  GptDatasetOptions options(int64_t sequence_length, std::optional<int64_t> samples, uint32_t seed = 1234) {
    GptDatasetOptions result;
    result.sequence_length = sequence_length;
    result.samples = samples;
    result.seed = seed;
    result.split_string = "1,0,0";
    result.cache_dir = path("cache");
    return result;
  }
};

struct OrderCase {
  std::optional<int64_t> samples;
  uint32_t seed;
  Integers documents, rows, shuffle;
};

// Megatron's arrays for corpus G.
TEST_F(GptDatasetTest, OrderOfASmallCorpus) {
  const OrderCase one_epoch{
      std::nullopt, 1234, {2, 1, 5, 0, 4, 3}, {0, 0, 0, 4, 1, 0, 2, 1, 2, 5, 3, 2, 4, 1}, {0, 4, 3, 2, 5, 1}};
  OrderCase six = one_epoch;
  six.samples = 6;
  const OrderCase joint{10,
                        1234,
                        {1, 2, 5, 2, 3, 4, 1, 0, 4, 5, 0, 3},
                        {0, 0, 1, 1, 1, 5, 2, 1, 2, 5, 3, 2, 3, 6, 5, 1, 6, 1, 7, 2, 8, 1, 9, 1, 9, 5, 10, 2},
                        {7, 11, 2, 3, 1, 9, 5, 4, 0, 8, 6, 10, 12}};
  const OrderCase separate{7,
                           1234,
                           {2, 1, 5, 0, 4, 3, 0, 4, 3, 2, 5, 1},
                           {0, 0, 0, 4, 1, 0, 2, 1, 2, 5, 3, 2, 4, 1, 6, 0, 6, 4, 7, 3, 9, 2, 9, 6, 10, 2, 10, 6},
                           {1, 0, 3, 2, 5, 4, 8, 9, 11, 7, 10, 12, 6}};
  OrderCase eight = separate;
  eight.samples = 8;
  const OrderCase three_epochs{16,
                               1234,
                               {1, 2, 5, 2, 3, 4, 1, 0, 4, 5, 0, 3, 1, 0, 3, 2, 5, 4},
                               {0, 0, 1, 1, 1, 5,  2, 1,  2, 5,  3, 2,  3, 6,  5, 1,  6, 1,  7, 2,  8,
                                1, 9, 1, 9, 5, 10, 2, 12, 0, 13, 1, 14, 0, 15, 3, 15, 7, 16, 3, 17, 0},
                               {7, 4, 1, 10, 3, 9, 2, 12, 6, 11, 5, 0, 8, 18, 14, 13, 17, 16, 15, 19}};
  const OrderCase other_seed{8,
                             42,
                             {0, 1, 5, 2, 4, 3, 3, 0, 1, 2, 5, 4},
                             {0, 0, 0, 4, 2, 0, 2, 4, 3, 1, 3, 5, 4, 1, 6, 0, 7, 3, 8, 2, 9, 3, 9, 7, 10, 3, 11, 0},
                             {4, 1, 0, 3, 5, 2, 6, 12, 9, 7, 10, 11, 8}};
  const auto reader = corpus("g", corpus_g());
  for (const OrderCase& expected : {one_epoch, six, joint, separate, eight, three_epochs, other_seed}) {
    SCOPED_TRACE(testing::Message() << "samples " << expected.samples.value_or(-1) << ", seed " << expected.seed);
    const GptDataset dataset(reader, options(4, expected.samples, expected.seed));
    EXPECT_EQ(values(dataset.index().documents), expected.documents);
    EXPECT_EQ(values(dataset.index().samples), expected.rows);
    EXPECT_EQ(values(dataset.index().shuffle), expected.shuffle);
    EXPECT_EQ(dataset.size(), static_cast<int64_t>(expected.shuffle.size()));
  }
}

TEST_F(GptDatasetTest, TokensAndLabels) {
  const GptDataset dataset(corpus("g", corpus_g()), options(4, std::nullopt));
  const std::vector<Integers> expected = {{300, 301, 302, 303}, {605, 999, 100, 101}, {601, 602, 603, 604},
                                          {200, 201, 999, 600}, {102, 103, 999, 500}, {304, 305, 306, 999}};
  Sample sample;
  for (int64_t i = 0; i < 6; ++i) {
    dataset.get(i, sample);
    EXPECT_EQ(sample.tokens, expected[static_cast<size_t>(i)]);
    EXPECT_EQ(sample.valid, 4);
  }
  dataset.get(1, sample);
  EXPECT_EQ(sample.labels, (Integers{999, 100, 101, 102}));
}

TEST_F(GptDatasetTest, APartialLastSampleIsDroppedOrPadded) {
  const auto reader = corpus("g", corpus_g());
  GptDatasetOptions partial = options(5, std::nullopt);
  partial.split = Split::valid;
  partial.split_string = "0,1,0";
  const GptDataset dropped(reader, partial);
  EXPECT_EQ(values(dropped.index().samples), (Integers{0, 0, 0, 5, 1, 2, 2, 4, 3, 2, 4, 2}));
  EXPECT_EQ(values(dropped.index().shuffle), (Integers{2, 0, 4, 3, 1}));

  // Megatron's hash leaves drop_last out, so the cached files can't be told apart by name: use another
  // folder.
  partial.drop_last = false;
  partial.cache_dir = path("cache2");
  const GptDataset kept(reader, partial);
  EXPECT_EQ(values(kept.index().documents), (Integers{2, 1, 5, 0, 4, 3}));
  EXPECT_EQ(values(kept.index().samples), (Integers{0, 0, 0, 5, 1, 2, 2, 4, 3, 2, 4, 2, 5, 0}));
  EXPECT_EQ(values(kept.index().shuffle), (Integers{0, 4, 3, 2, 5, 1}));
  Sample sample;
  kept.get(4, sample);
  EXPECT_EQ(sample.tokens, (Integers{502, 999, 999, 0, 0}));
  EXPECT_EQ(sample.labels, (Integers{999, 999, 0, 0, 0}));
  EXPECT_EQ(sample.valid, 2);
}

TEST_F(GptDatasetTest, OrderOfALargerCorpus) {
  const auto reader = corpus("l", corpus_l());
  struct Case {
    int64_t sequence_length;
    uint32_t seed;
    std::optional<int64_t> requested;
    int64_t samples, epochs;
    Integers last_row;
    std::string documents, rows, shuffle;
  };
  const std::vector<Case> cases = {{64,
                                    1234,
                                    std::nullopt,
                                    1543,
                                    1,
                                    {999, 62},
                                    "3f4f15eb6f685b404530b9069180aa76",
                                    "63527e362fb8e3b9b8cbf6aa1888540a",
                                    "f5a4d1b03c269b471b81830a8a8862a7"},
                                   {64,
                                    1234,
                                    2000,
                                    3086,
                                    2,
                                    {1999, 97},
                                    "8c96c5431beb31923128c3869c102ff3",
                                    "83242a608c84d2e6070d803fbd40581d",
                                    "1baa341dc9763dcdc967866a2aed3887"},
                                   {128,
                                    42,
                                    5000,
                                    5400,
                                    7,
                                    {6998, 27},
                                    "6b2787abd4aded3231a14fd0b53b0e72",
                                    "dfb02f74e2a99df5da9fa516d2b0a17a",
                                    "90dd6c56430b1cfa527756b8a2992668"}};
  EXPECT_EQ(reader->tokens(), 98756);
  for (const Case& expected : cases) {
    const GptDataset dataset(reader, options(expected.sequence_length, expected.requested, expected.seed));
    const GptIndex& index = dataset.index();
    EXPECT_EQ(dataset.size(), expected.samples);
    EXPECT_EQ(dataset.epochs(), expected.epochs);
    EXPECT_EQ(index.samples[2 * expected.samples], expected.last_row[0]);
    EXPECT_EQ(index.samples[2 * expected.samples + 1], expected.last_row[1]);
    EXPECT_EQ(md5_of(index.documents), expected.documents);
    EXPECT_EQ(md5_of(index.samples), expected.rows);
    EXPECT_EQ(md5_of(index.shuffle), expected.shuffle);
  }
}

// An independent reading of the samples: the stream of tokens in document order, cut every S tokens.
TEST_F(GptDatasetTest, SamplesCoverTheStream) {
  std::vector<std::vector<int32_t>> documents;
  RandomState random(7);
  for (int i = 0; i < 40; ++i) documents.emplace_back(1 + random.interval(12), i);
  const auto reader = corpus("c", documents);
  for (const int64_t S : {1, 2, 5, 64}) {
    const GptDataset dataset(reader, options(S, 500 / S));
    std::vector<int64_t> stream;
    for (const int64_t document : values(dataset.index().documents)) {
      for (const int64_t token : reader->get(document)) stream.push_back(token);
    }
    Sample sample;
    for (int64_t i = 0; i < dataset.size(); ++i) {
      dataset.get(i, sample);
      const int64_t start = dataset.index().shuffle[i] * S;
      const auto begin = stream.begin() + start;
      ASSERT_EQ(sample.tokens, Integers(begin, begin + S));
      ASSERT_EQ(sample.labels, Integers(begin + 1, begin + S + 1));
    }
  }
}

TEST_F(GptDatasetTest, TheOrderHasAnId) {
  const auto reader = corpus("g", corpus_g());
  const auto id = [&](int64_t sequence_length, std::optional<int64_t> samples, uint32_t seed) {
    return GptDataset(reader, options(sequence_length, samples, seed)).order_id();
  };
  const std::string usual = id(4, 10, 1234);
  EXPECT_EQ(id(4, 10, 1234), usual);
  EXPECT_NE(id(5, 10, 1234), usual);
  EXPECT_NE(id(4, 10, 42), usual);
}

// The id tells apart what is served in another order, and nothing else: a longer run within the same epochs goes on
// as it began.
TEST_F(GptDatasetTest, TheIdChangesWithTheOrderAlone) {
  const auto reader = corpus("g", corpus_g());
  std::vector<std::pair<std::string, std::vector<int64_t>>> known;
  int same = 0, other = 0;
  for (int64_t samples = 1; samples <= 40; ++samples) {
    const GptDataset dataset(reader, options(4, samples));
    std::vector<int64_t> served;
    Sample sample;
    for (int64_t i = 0; i < dataset.size(); ++i) {
      dataset.get(i, sample);
      served.insert(served.end(), sample.tokens.begin(), sample.tokens.end());
    }
    for (const auto& [id, tokens] : known) {
      EXPECT_EQ(id == dataset.order_id(), tokens == served) << samples;
      ++(tokens == served ? same : other);
    }
    known.emplace_back(dataset.order_id(), served);
  }
  EXPECT_GT(same, 10);
  EXPECT_GT(other, 100);
}

// What the options say of a corpus of 1000 sequences, 98 756 tokens.
TEST_F(GptDatasetTest, AStableOrderDoesNotDependOnTheNumberOfSamples) {
  write_documents(path("l"), TokenType::uint16, corpus_l());
  const auto reader = std::make_shared<const IndexedDatasetReader>(path("l"));
  GptDatasetOptions options;
  options.sequence_length = 64;
  options.cache_dir = path("cache");
  options.samples = 1500;
  const auto order_of = [&](int64_t samples, bool stable) {
    options.samples = samples;
    options.stable_order = stable;
    return GptDataset(reader, options);
  };
  const GptDataset once = order_of(1500, true), twice = order_of(2000, true), often = order_of(7000, true);
  ASSERT_EQ(once.epochs(), 1);
  ASSERT_EQ(twice.epochs(), 2);
  ASSERT_EQ(often.epochs(), 5);
  EXPECT_EQ(once.order_id(), often.order_id());
  EXPECT_NE(once.order_id(), order_of(1500, false).order_id());
  EXPECT_NE(once.description(), order_of(1500, false).description());
  Sample a, b;
  for (const GptDataset* shorter : {&once, &twice}) {
    for (int64_t i = 0; i < shorter->size(); ++i) {
      shorter->get(i, a);
      often.get(i, b);
      ASSERT_EQ(a.tokens, b.tokens) << i;
      ASSERT_EQ(a.labels, b.labels) << i;
    }
  }
  // Each epoch is the whole stream, once, and no two are alike.
  const GptIndex& index = often.index();
  std::vector<std::vector<int64_t>> epochs;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<int64_t> documents;
    for (int64_t i = 0; i < 1000; ++i) documents.push_back(index.documents[1000 * epoch + i]);
    std::vector<int64_t> sorted = documents;
    std::sort(sorted.begin(), sorted.end());
    for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[static_cast<size_t>(i)], i);
    for (const auto& other : epochs) EXPECT_NE(documents, other);
    epochs.push_back(documents);
  }
  std::vector<bool> seen(static_cast<size_t>(often.size()));
  for (int64_t i = 0; i < often.size(); ++i) {
    const auto sample = static_cast<size_t>(index.shuffle[i]);
    ASSERT_FALSE(seen[sample]);
    seen[sample] = true;
    const int64_t epoch = std::min<int64_t>(i / (98756 / 64), 4), place = index.samples[2 * index.shuffle[i]] / 1000;
    EXPECT_LE(std::abs(place - epoch), 1) << "far from its epoch";
  }
}

TEST_F(GptDatasetTest, SplitsWithoutTokensAreNamed) {
  const auto reader = corpus("g", corpus_g());
  GptDatasetOptions empty = options(4, 10);
  empty.split = Split::test;
  empty.split_string = "969,30,1";
  const std::string message = message_of<UserError>([&] { GptDataset dataset(reader, empty); });
  EXPECT_CONTAINS(message, "the test split (data.split = \"969,30,1\") of " + path("g") + " has no tokens");
  EXPECT_CONTAINS(message, "0 of its 6 documents");
  const std::string long_samples =
      message_of<UserError>([&] { GptDataset dataset(reader, options(28, std::nullopt)); });
  EXPECT_CONTAINS(long_samples, "28 tokens, too few for one sample of 28 + 1");
}

// 500 bytes whose MD5 Megatron computed.
TEST(DatasetDescriptionTest, HashesAreMegatrons) {
  DatasetDescription description;
  description.dataset_class = "GPTDataset";
  description.dataset_path = "G_text_document";
  description.split = "1,0,0";
  description.tokenizer = R"({"class": "megatron.core.tokenizers.text.text_tokenizer.MegatronTokenizerText",)"
                          R"( "tokenizer_path": null, "vocab_size": "1000", "pad_id": "-1"})";
  description.sequence_length = 4;
  const std::string text = describe(description);
  EXPECT_EQ(text.size(), 500U) << text;
  EXPECT_EQ(md5_hex(text), "fef16f6525bc87cc2450111049ae0ed7");
  description.samples = 100;
  description.split = "969, 30, 1";
  EXPECT_EQ(md5_hex(describe(description)), "77e686c3922f8e4d498464d49b951d5d");

  description.samples = 4;
  description.dataset_path = "P_text_document";
  description.split = "1,0,0";
  EXPECT_EQ(md5_hex(describe(description)), "d545e02296059c4b1039aa6fb8bd1689");
  description.samples = 8;
  description.dataset_path = "Q_text_document";
  EXPECT_EQ(md5_hex(describe(description)), "5dc564be7b1c85ba6cfaaa445ba490e2");
  description.samples = 3;
  description.dataset_path = "P_text_document";
  description.split.reset();
  description.index_split = Split::valid;
  EXPECT_EQ(md5_hex(describe(description)), "2c0081e29d30e9839590a24a21dad6d9");
}

TEST(DatasetDescriptionTest, NumbersPrintAsPythonPrintsThem) {
  EXPECT_EQ(python_float(1), "1.0");
  EXPECT_EQ(python_float(0), "0.0");
  EXPECT_EQ(python_float(100000), "100000.0");
  EXPECT_EQ(python_float(0.0001), "0.0001");
  EXPECT_EQ(python_float(0.00001), "1e-05");
  EXPECT_EQ(python_float(1e16), "1e+16");
  EXPECT_EQ(python_float(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(python_float(0.9500000000000001), "0.9500000000000001");
}

}  // namespace
}  // namespace longhaul
