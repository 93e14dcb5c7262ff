// The sample index against the loop that defines it, one token after another through the documents.
#include "data/sample_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>

#include "corpora.h"
#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Rows = std::vector<int64_t>;  // [samples + 1, 2], flat

Rows by_definition(const IndexedDatasetReader& reader, std::span<const int32_t> documents, int64_t length,
                   int64_t samples) {
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
Rows rows_of(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
             const EpochPlan& plan) {
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

TEST_F(SampleIndexTest, ShortDocumentsInManyPieces) {
  compare(600'000, 6, {1, 2, 3, 7, 64});
}
TEST_F(SampleIndexTest, LongDocuments) {
  compare(60, 20'000, {1, 5, 100, 30'000});
}
// Of 65535 tokens and more, too.
TEST_F(SampleIndexTest, VeryLongDocuments) {
  compare(30, 150'000, {1, 1000});
}
TEST_F(SampleIndexTest, OneDocument) {
  compare(1, 1000, {1, 2, 3});
}

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

// A thousand documents of 2^31 - 1 tokens, which are a hole in the file: offsets and tokens beyond what 32 bits count.
TEST_F(SampleIndexTest, AStreamOfTrillionsOfTokens) {
  constexpr int64_t kDocuments = 1000, kLength = std::numeric_limits<int32_t>::max(), S = int64_t{1} << 20;
  write_documents(path("c"), TokenType::uint8, std::vector<std::vector<int32_t>>(kDocuments, {1}));
  std::string idx = read_text(path("c.idx"));
  for (int64_t i = 0; i < kDocuments; ++i) {
    const auto length = static_cast<int32_t>(kLength);
    const int64_t offset = i * kLength;
    std::memcpy(idx.data() + IndexedDatasetReader::kHeaderBytes + 4 * i, &length, sizeof(length));
    std::memcpy(idx.data() + IndexedDatasetReader::kHeaderBytes + 4 * kDocuments + 8 * i, &offset, sizeof(offset));
  }
  write_text(path("c.idx"), idx);
  std::filesystem::resize_file(path("c.bin"), kDocuments * kLength);
  const IndexedDatasetReader reader(path("c"));
  std::vector<int32_t> documents(kDocuments);
  std::iota(documents.begin(), documents.end(), 0);
  GptOrder order;
  order.sequences = {0, kDocuments};
  order.sequence_length = S;
  const EpochPlan plan = plan_epochs(reader, order, "the corpus");
  EXPECT_EQ(plan.samples, (kDocuments * kLength - 1) / S);
  const Rows rows = rows_of<int32_t>(reader, documents, order, plan);
  ASSERT_EQ(std::ssize(rows), 2 * (plan.samples + 1));
  int64_t wrong = 0;
  for (int64_t k = 0; k <= plan.samples; ++k) {
    const auto row = static_cast<size_t>(2 * k);
    wrong += rows[row] != k * S / kLength || rows[row + 1] != k * S % kLength ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
}

constexpr int64_t k2To31 = int64_t{1} << 31, k2To32 = int64_t{1} << 32;

TEST(GptIndexTypes, PlacesInTheDocumentIndexDecideTheSampleIndex) {
  const auto type = [](int64_t sequences, int64_t epochs) {
    GptOrder order;
    order.sequences = {0, sequences};
    EpochPlan plan;
    plan.epochs = epochs;
    return sample_index_type(order, plan);
  };
  EXPECT_EQ(type(1000, 2'147'483), IndexArray::Type::int32);
  EXPECT_EQ(type(1000, 2'147'484), IndexArray::Type::int64);
  EXPECT_EQ(type(k2To31 - 1, 1), IndexArray::Type::int32);
  EXPECT_EQ(type(k2To31 - 1, 2), IndexArray::Type::int64);
  EXPECT_EQ(type(k2To31 / 2 - 1, 2), IndexArray::Type::int32);
  EXPECT_EQ(type(k2To31 / 2, 2), IndexArray::Type::int64) << "2^31 places";
  EXPECT_EQ(type(k2To31 - 1, k2To32), IndexArray::Type::int64) << "a product that 63 bits just hold";
}

TEST(GptIndexTypes, SamplesDecideTheShuffleIndex) {
  const auto type = [](int64_t samples) {
    EpochPlan plan;
    plan.samples = samples;
    return shuffle_index_type(plan);
  };
  EXPECT_EQ(type(k2To31), IndexArray::Type::uint32);
  EXPECT_EQ(type(k2To32 - 3), IndexArray::Type::uint32);
  EXPECT_EQ(type(k2To32 - 2), IndexArray::Type::int64);
  EXPECT_EQ(type(k2To32), IndexArray::Type::int64);
}

}  // namespace
}  // namespace longhaul
