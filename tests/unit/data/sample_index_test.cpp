// The sample index against the loop that defines it, one token after another through the documents.
#include "data/sample_index.h"

#include <gtest/gtest.h>

#include <numeric>

#include "corpora.h"
#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Rows = std::vector<int64_t>;  // [samples + 1, 2], flat

Rows by_definition(const IndexedDatasetReader& reader, std::span<const int32_t> documents, int64_t length, int64_t samples) {
  Rows rows{0, 0};
  size_t at = 0;
  int64_t offset = 0;
  for (int64_t sample = 0; sample < samples; ++sample) {
    for (int64_t missing = length + 1; missing != 0;) {
      const int64_t tokens = reader.length(documents[at]) - offset;
      missing -= tokens;
      if (missing <= 0) {
        offset += missing + tokens - 1;
        missing = 0;
      } else if (at + 1 == documents.size()) {
        offset = std::max(reader.length(documents[at]) - 1, 0);
        break;
      } else {
        ++at;
        offset = 0;
      }
    }
    rows.insert(rows.end(), {static_cast<int64_t>(at), offset});
  }
  return rows;
}

template <typename T>
Rows rows_of(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order, const EpochPlan& plan) {
  Rows rows;
  for_each_sample_row<T>(reader, documents, order, plan,
                         [&](std::span<const T> some) { rows.insert(rows.end(), some.begin(), some.end()); });
  return rows;
}

class SampleIndexTest : public FolderTest {
 protected:
  // So many documents of 0 … longest tokens.
  void compare(size_t count, uint64_t longest, std::vector<int64_t> lengths) {
    RandomState random(7);
    IndexedDatasetWriter writer(path("c"), TokenType::uint8);
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < count; ++i) {
      tokens.assign(random.interval(longest), 1);
      writer.add_sequence(tokens);
      writer.end_document();
    }
    writer.finalize();
    const IndexedDatasetReader reader(path("c"));
    std::vector<int32_t> documents(count);
    std::iota(documents.begin(), documents.end(), 0);
    random.shuffle(std::span(documents));
    GptOrder order;
    order.sequences = {0, static_cast<int64_t>(count)};
    for (const int64_t length : lengths) {
      for (const bool drop_last : {true, false}) {
        order.sequence_length = length;
        order.drop_last = drop_last;
        const EpochPlan plan = plan_epochs(reader, order, "the corpus");
        const Rows expected = by_definition(reader, documents, length, plan.samples);
        ASSERT_EQ(rows_of<int32_t>(reader, documents, order, plan), expected) << length << " " << drop_last;
        ASSERT_EQ(rows_of<int64_t>(reader, documents, order, plan), expected) << length << " " << drop_last;
      }
    }
  }
};

TEST_F(SampleIndexTest, ShortDocumentsInManyPieces) { compare(600'000, 6, {1, 2, 3, 7, 64}); }
TEST_F(SampleIndexTest, LongDocuments) { compare(60, 20'000, {1, 5, 100, 30'000}); }
// Of 65535 tokens and more, too.
TEST_F(SampleIndexTest, VeryLongDocuments) { compare(30, 150'000, {1, 1000}); }
TEST_F(SampleIndexTest, OneDocument) { compare(1, 1000, {1, 2, 3}); }

// Other threads wait for the piece that fails; they must not wait for ever.
TEST_F(SampleIndexTest, AFailureOfTheReceiverEndsAllThreads) {
  IndexedDatasetWriter writer(path("c"), TokenType::uint8);
  for (size_t i = 0; i < 600'000; ++i) {
    writer.add_sequence(std::vector<int32_t>{1, 1});
    writer.end_document();
  }
  writer.finalize();
  const IndexedDatasetReader reader(path("c"));
  std::vector<int32_t> documents(600'000);
  std::iota(documents.begin(), documents.end(), 0);
  GptOrder order;
  order.sequences = {0, 600'000};
  order.sequence_length = 1;
  const EpochPlan plan = plan_epochs(reader, order, "the corpus");
  for (const int pieces : {0, 1, 2, 5}) {
    int received = 0;
    EXPECT_THROW(for_each_sample_row<int32_t>(reader, documents, order, plan,
                                              [&](std::span<const int32_t>) {
                                                if (received++ == pieces) throw EnvironmentError("the disk is full");
                                              }),
                 EnvironmentError);
    EXPECT_EQ(received, pieces + 1);
  }
}

TEST(GptIndexTypes, GrowWithTheCounts) {
  GptOrder order;
  order.sequences = {0, 1000};
  EpochPlan plan;
  plan.epochs = 2'147'483;
  EXPECT_EQ(sample_index_type(order, plan), IndexArray::Type::int32);
  plan.epochs = 2'147'484;
  EXPECT_EQ(sample_index_type(order, plan), IndexArray::Type::int64);
  plan.samples = 4'294'967'293;
  EXPECT_EQ(shuffle_index_type(plan), IndexArray::Type::uint32);
  plan.samples = 4'294'967'294;
  EXPECT_EQ(shuffle_index_type(plan), IndexArray::Type::int64);
}

}  // namespace
}  // namespace longhaul
