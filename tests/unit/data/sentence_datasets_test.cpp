// BERT's and T5's datasets. The expected numbers are Megatron's.
#include <gtest/gtest.h>

#include <numeric>

#include "corpora.h"
#include "data/sentence_index.h"
#include "longhaul/core/error.h"
#include "longhaul/data/bert_dataset.h"
#include "longhaul/data/t5_dataset.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Ids = std::vector<int64_t>;
using Document = std::vector<std::vector<int32_t>>;
using Row = std::array<int64_t, 3>;

void write_sentences(const std::string& prefix, const std::vector<Document>& documents) {
  IndexedDatasetWriter writer(prefix, TokenType::uint16);
  for (const Document& document : documents) {
    for (const auto& sentence : document) writer.add_sequence(sentence);
    writer.end_document();
  }
  writer.finalize();
}

class SentenceIndexTest : public FolderTest {
 protected:
  // Documents of so many tokens a sentence.
  void write(const std::vector<std::vector<int32_t>>& lengths) {
    std::vector<Document> documents;
    for (const auto& document : lengths) {
      documents.emplace_back();
      for (const int32_t length : document) documents.back().emplace_back(length, 7);
    }
    write_sentences(path("s"), documents);
  }
  template <typename T>
  std::vector<Row> rows() {
    order_.documents = {0, 0};
    const IndexedDatasetReader reader(path("s"));
    order_.documents.end = reader.documents();
    std::vector<Row> rows;
    for (const auto& row : build_sentence_index<T>(reader, order_, "the corpus")) {
      rows.push_back(
          {static_cast<int64_t>(row.begin), static_cast<int64_t>(row.end), static_cast<int64_t>(row.target)});
    }
    return rows;
  }
  SentenceOrder order_;
};

TEST_F(SentenceIndexTest, RowsAreMegatrons) {
  write({{5, 6, 7}, {}, {9}, {4, 4, 4, 4, 4}, {600, 3}});
  order_.longest = 10;
  order_.short_probability = 0;
  order_.fewest_sentences = 2;
  EXPECT_EQ(rows<uint32_t>(), (std::vector<Row>{{7, 9, 10}, {4, 7, 10}, {0, 3, 10}}));
  EXPECT_EQ(rows<uint64_t>(), rows<uint32_t>()) << "the type for very many sentences";
  order_.fewest_sentences = 1;
  EXPECT_EQ(rows<uint32_t>(), (std::vector<Row>{{4, 7, 10}, {0, 3, 10}, {3, 4, 10}, {7, 9, 10}}));
  order_.short_probability = 0.5;
  order_.fewest_sentences = 2;
  order_.samples = 8;
  EXPECT_EQ(
      rows<uint32_t>(),
      (std::vector<Row>{
          {7, 9, 10}, {4, 7, 10}, {4, 6, 5}, {0, 3, 10}, {6, 9, 10}, {0, 3, 10}, {4, 7, 9}, {7, 9, 6}, {0, 3, 9}}));
}

TEST(SentenceIndexType, GrowsWithTheSentences) {
  constexpr int64_t k2To32 = int64_t{1} << 32;
  EXPECT_EQ(sentence_index_type(k2To32 / 2), IndexArray::Type::uint32);
  EXPECT_EQ(sentence_index_type(k2To32 - 1), IndexArray::Type::uint32);
  EXPECT_EQ(sentence_index_type(k2To32), IndexArray::Type::uint64);
}

TEST_F(SentenceIndexTest, NothingOfUseIsAnErrorAndNoEndlessLoop) {
  write({{5}, {}, {600, 3}, {9}});
  order_.longest = 10;
  order_.samples = 8;
  order_.fewest_sentences = 2;
  EXPECT_CONTAINS(
      message_of<UserError>([&] { rows<uint32_t>(); }),
      "the corpus has no document to take samples from: of 4 documents, 3 have fewer than 2 sentences and 1 have a "
      "sentence of more than 512 tokens");
}

// Three documents of ids 0 … 59; of 10 … 49 every third goes on with a word.
class SentenceDatasetsTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_sentences(path("s"), {{{10, 11, 12, 13}, {14, 15, 16}, {17, 18}},
                                {{20, 21, 22, 23, 24}, {25, 26, 27}},
                                {{30, 31}, {32, 33}, {34, 35, 36}, {37, 38, 39}}});
    reader_ = std::make_shared<const IndexedDatasetReader>(path("s"));
    vocabulary_.cls = 2, vocabulary_.sep = 3, vocabulary_.mask = 4, vocabulary_.bos = 5, vocabulary_.eos = 6;
    vocabulary_.sentinels = {50, 51, 52, 53, 54, 55};
    vocabulary_.ids.resize(60);
    std::iota(vocabulary_.ids.begin(), vocabulary_.ids.end(), 0);
    vocabulary_.continues.resize(60);
    for (size_t id = 10; id < 50; ++id) vocabulary_.continues[id] = id % 3 == 2;
    set(bert_);
    set(t5_);
    t5_.decoder_length = 12;
  }
  void set(SentenceDatasetOptions& options) const {
    options.split_string = "1,0,0";
    options.sequence_length = 20;
    options.samples = 3;
    options.cache_dir = path("cache");
  }
  static std::vector<Row> rows(const SentenceSamples& samples) {
    std::vector<Row> rows;
    for (int64_t i = 0; i < samples.size(); ++i)
      rows.push_back({samples.row(i).begin, samples.row(i).end, samples.row(i).target});
    return rows;
  }
  std::shared_ptr<const IndexedDatasetReader> reader_;
  MaskVocabulary vocabulary_;
  BertDatasetOptions bert_;
  T5DatasetOptions t5_;
};

TEST_F(SentenceDatasetsTest, BertSamplesAreMegatrons) {
  const BertDataset dataset(reader_, vocabulary_, bert_);
  EXPECT_EQ(rows(dataset.samples()), (std::vector<Row>{{5, 9, 17}, {3, 5, 17}, {0, 3, 17}}));
  const std::vector<Ids> tokens = {{2, 30, 31, 32, 33, 34, 35, 36, 3, 4, 38, 39, 3},
                                   {2, 4, 4, 22, 23, 24, 3, 25, 26, 27, 3},
                                   {2, 10, 11, 12, 13, 14, 4, 16, 3, 17, 4, 3}};
  const std::vector<std::vector<std::pair<size_t, int64_t>>> labels = {
      {{9, 37}, {10, 38}}, {{1, 20}, {2, 21}}, {{6, 15}, {10, 18}}};
  BertSample sample;
  for (size_t i = 0; i < tokens.size(); ++i) {
    dataset.get(static_cast<int64_t>(i), sample);
    EXPECT_EQ(sample.length, std::ssize(tokens[i]));
    Ids padded = tokens[i];
    padded.resize(20, 0);
    EXPECT_EQ(sample.tokens, padded) << i;
    Ids expected(20, -1);
    for (const auto& [position, token] : labels[i]) expected[position] = token;
    EXPECT_EQ(sample.labels, expected) << i;
    EXPECT_FALSE(sample.swapped);
    EXPECT_FALSE(sample.truncated);
  }
  dataset.get(0, sample);
  EXPECT_EQ(sample.types, (Ids{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_F(SentenceDatasetsTest, T5SamplesAreMegatrons) {
  const T5Dataset dataset(reader_, vocabulary_, t5_);
  EXPECT_EQ(rows(dataset.samples()), (std::vector<Row>{{5, 9, 18}, {3, 5, 18}, {0, 3, 18}}));
  const std::vector<Ids> encoder = {
      {30, 31, 32, 50, 34, 35, 36, 37, 38, 51}, {50, 21, 22, 23, 24, 25, 26, 27}, {10, 11, 50, 13, 14, 15, 16, 17, 18}};
  const std::vector<Ids> labels = {{50, 33, 51, 39, 6}, {50, 20, 6}, {50, 12, 6}};
  T5Sample sample;
  for (size_t i = 0; i < encoder.size(); ++i) {
    dataset.get(static_cast<int64_t>(i), sample);
    Ids expected = encoder[i];
    expected.resize(20, 0);
    EXPECT_EQ(sample.encoder, expected) << i;
    Ids decoder{5};
    decoder.insert(decoder.end(), labels[i].begin(), labels[i].end() - 1);
    EXPECT_EQ(sample.decoder_length, std::ssize(decoder));
    decoder.resize(12, 0);
    EXPECT_EQ(sample.decoder, decoder) << i;
    expected = labels[i];
    expected.resize(12, -1);
    EXPECT_EQ(sample.labels, expected) << i;
  }
}

TEST_F(SentenceDatasetsTest, ACachedOrderIsReadOnlyForTheSameData) {
  const BertDataset first(reader_, vocabulary_, bert_);
  const BertDataset again(reader_, vocabulary_, bert_);
  EXPECT_EQ(rows(again.samples()), rows(first.samples()));
  // Other data under the same path: the old order is not theirs.
  write_sentences(path("s"), {{{10, 11}, {12, 13}}, {{14}, {15}}});
  const auto changed = std::make_shared<const IndexedDatasetReader>(path("s"));
  const BertDataset other(changed, vocabulary_, bert_);
  for (const Row& row : rows(other.samples())) EXPECT_LE(row[1], 4);
}

TEST_F(SentenceDatasetsTest, MistakesAreNamed) {
  const auto bert_error = [&] { return message_of<UserError>([&] { BertDataset(reader_, vocabulary_, bert_); }); };
  const auto t5_error = [&] {
    return message_of<UserError>([&] {
      const T5Dataset dataset(reader_, vocabulary_, t5_);
      T5Sample sample;
      for (int64_t i = 0; i < dataset.size(); ++i) dataset.get(i, sample);
    });
  };
  bert_.sequence_length = 4;
  EXPECT_CONTAINS(bert_error(), "a sequence of 4 tokens is too short");
  bert_.sequence_length = 20;
  bert_.seed = 0;
  EXPECT_CONTAINS(bert_error(), "the seed is 0");
  bert_.seed = 1;
  bert_.masking.probability = 1;
  EXPECT_CONTAINS(bert_error(), "the masking probability is 1");
  bert_.masking.probability = 0.15;
  bert_.split_string = "0,1,0";
  EXPECT_CONTAINS(bert_error(), "the train split (data.split = \"0,1,0\") of " + path("s") + " has no document");
  vocabulary_.mask.reset();
  EXPECT_CONTAINS(bert_error(), "[MASK]");

  t5_.decoder_length = 3;
  EXPECT_CONTAINS(t5_error(), "tokens for the decoder, more than its length of 3");
  t5_.decoder_length = 40;
  t5_.masking.probability = 0.9;
  t5_.masking.max_ngram = 1;
  t5_.masking.whole_words = false;
  EXPECT_CONTAINS(t5_error(), "hidden runs, but the tokenizer has 6 sentinels");
  vocabulary_.sentinels.clear();
  EXPECT_CONTAINS(t5_error(), "<extra_id_0>");
}

}  // namespace
}  // namespace longhaul
