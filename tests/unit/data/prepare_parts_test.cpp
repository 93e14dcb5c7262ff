// The parts that `prepare` is made of: blocks, duplicate counts, pieces of a dataset, going on after a stop.
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "data/dataset_pieces.h"
#include "data/prepare/block_tokenizer.h"
#include "data/prepare/duplicate_counter.h"
#include "data/prepare/journal.h"
#include "longhaul/core/append_file.h"
#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

class PreparePartsTest : public FolderTest {};

TEST_F(PreparePartsTest, AnAppendFileForgetsWhatWasNotNotedDown) {
  {
    AppendFile file(path("a"));
    file.write("one two");
    file.sync();
    file.write(" lost");
  }
  {
    AppendFile file(path("a"), 4);
    EXPECT_EQ(file.size(), 4);
    file.write("three");
    file.sync();
  }
  EXPECT_EQ(read_text(path("a")), "one three");
  EXPECT_CONTAINS(message_of<EnvironmentError>([&] { AppendFile file(path("a"), 10); }),
                  "it has 9 bytes, 10 were written");
  if (std::filesystem::exists("/dev/full")) {
    AppendFile full("/dev/full");
    full.write("x");
    EXPECT_CONTAINS(message_of<EnvironmentError>([&] { full.sync(); }), "No space left on device: free some space");
  }
}

TEST_F(PreparePartsTest, AnyBlockIsAPlaceToGoOnFrom) {
  std::mt19937 random(4);
  std::string text = "\xEF\xBB\xBF";
  while (text.size() < 8 * BlockReader::kBlockBytes) text += std::string(random() % 200000, 'x') + "\n";
  write_plainly(path("a.jsonl"), text + " \n\n");
  write_plainly(path("b.txt"), "some text");
  write_plainly(path("c.jsonl"), "x\ny");
  const std::vector<InputFile> files = find_inputs({path("a.jsonl"), path("b.txt"), path("c.jsonl")}, path("out"));
  const auto blocks = [&](InputPosition start) {
    BlockReader reader(slices_of(files, {}), start);
    std::vector<TextBlock> all;
    for (TextBlock block; reader.next(block);) all.push_back(block);
    return all;
  };
  const std::vector<TextBlock> whole = blocks({});
  ASSERT_GE(whole.size(), 8U);
  EXPECT_EQ(whole.back().text, "x\ny");
  EXPECT_EQ(whole.back().after.document, std::count(text.begin(), text.end(), '\n') + 3);
  for (size_t i = 0; i < whole.size(); ++i) {
    const std::vector<TextBlock> rest = blocks(whole[i].after);
    std::string wanted, got;
    for (size_t k = i + 1; k < whole.size(); ++k) wanted += whole[k].text;
    for (const TextBlock& block : rest) got += block.text;
    EXPECT_EQ(got, wanted) << i;
    if (!rest.empty()) {
      EXPECT_EQ(rest[0].place.line, whole[i + 1].place.line);
      EXPECT_EQ(rest[0].place.byte, whole[i + 1].place.byte);
      EXPECT_EQ(rest[0].document, whole[i + 1].document);
    }
  }
}

TEST_F(PreparePartsTest, EveryPartitionOfEveryCount) {
  std::mt19937 random(7);
  std::vector<std::string> names;
  for (int file = 0; file < 4; ++file) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += std::string(random() % 7, 'x') + (random() % 6 == 0 ? " \r\n" : "\n");
    names.push_back(path(fmt::format("{}.{}", file, file == 1 ? "txt" : "jsonl")));
    write_plainly(names.back(), text);
  }
  const std::vector<InputFile> files = find_inputs(names, path("out"));
  const auto lines_of = [&](const Partition& partition) {
    BlockReader reader(slices_of(files, partition));
    std::vector<std::string> lines;
    for (TextBlock block; reader.next(block);) {
      std::istringstream stream(block.text);
      for (std::string line; std::getline(stream, line);)
        lines.push_back(fmt::format("{}: {}", block.place.file, line));
    }
    return lines;
  };
  const std::vector<std::string> whole = lines_of({});
  ASSERT_GE(whole.size(), 40U);
  for (int64_t count = 2; count < 300; ++count) {
    std::vector<std::string> joined;
    for (int64_t i = 1; i <= count; ++i) {
      for (const std::string& line : lines_of({i, count})) joined.push_back(line);
    }
    ASSERT_EQ(joined, whole) << count;
  }
}

TEST_F(PreparePartsTest, ATooLongDocumentIsABadLine) {
  const auto encode = [](std::string_view text, std::vector<int32_t>& ids) { ids.insert(ids.end(), text.size(), 7); };
  BlockTokenizer tokenizer(encode, {.keys = {"a", "b"}, .eod_id = 1, .on_bad_line = OnBadLine::skip, .most_tokens = 4});
  TextBlock block;
  block.text = "{\"a\":\"xxx\",\"b\":\"\"}\n{\"a\":\"x\",\"b\":\"xxxx\"}\n{\"a\":\"xx\",\"b\":\"y\"}\n";
  TokenizedBlock out;
  tokenizer.tokenize(block, out);
  ASSERT_EQ(out.bad_lines.size(), 1U);
  EXPECT_EQ(out.bad_lines[0].place.line, 2);
  EXPECT_CONTAINS(out.bad_lines[0].reason, "a text of 4 bytes has 4 tokens, but the format holds at most 4");
  EXPECT_EQ(out.keys[0].tokens, (std::vector<int32_t>{7, 7, 7, 1, 7, 7, 1}));
  EXPECT_EQ(out.keys[0].lengths, (std::vector<int32_t>{4, 3}));
  EXPECT_EQ(out.keys[1].lengths, (std::vector<int32_t>{2}));
  EXPECT_EQ(out.keys[1].documents, (std::vector<int32_t>{0, 1}));
}

TEST(DuplicateCounterTest, IsExactUpToItsSizeAndThenAnEstimate) {
  std::mt19937_64 random(6);
  for (const int different : {900, 50000}) {
    DuplicateCounter counter(1000);
    int64_t duplicates = 0;
    for (int i = 0; i < different; ++i) {
      const uint64_t hash = random();
      const int times = 1 + static_cast<int>(random() % 3);
      duplicates += times - 1;
      for (int k = 0; k < times; ++k) counter.add(hash);
    }
    if (different < 1000) {
      EXPECT_EQ(counter.share(), 1);
      EXPECT_EQ(counter.duplicates(), duplicates);
    } else {
      EXPECT_EQ(counter.share(), 1.0 / 64);
      EXPECT_NEAR(static_cast<double>(counter.duplicates()), static_cast<double>(duplicates),
                  0.15 * static_cast<double>(duplicates));
    }
    DuplicateCounter copy(1000);
    ASSERT_TRUE(copy.restore(counter.save()));
    EXPECT_EQ(copy.duplicates(), counter.duplicates());
    EXPECT_EQ(copy.share(), counter.share());
    std::string damaged = counter.save();
    damaged[20] ^= 1;
    EXPECT_FALSE(copy.restore(damaged));
    EXPECT_FALSE(copy.restore(""));
  }
}

// More bytes than 32 bits count: the .bin is a hole in the file system.
TEST_F(PreparePartsTest, OffsetsHave64Bits) {
  const int64_t most = std::numeric_limits<int32_t>::max();
  const std::vector<int32_t> lengths(3, std::numeric_limits<int32_t>::max());
  const std::vector<int64_t> borders{1, 2, 3};
  const auto bytes = [](const auto& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  write_plainly(path("big.lengths"), bytes(lengths));
  write_plainly(path("big.borders"), bytes(borders));
  write_plainly(path("big.bin"), "");
  std::filesystem::resize_file(path("big.bin"), static_cast<uintmax_t>(12 * most));
  DatasetPieces pieces(path("big"), TokenType::int32, {3, 3, 3 * most});
  pieces.write_index();
  const IndexedDatasetReader reader(path("big"));
  EXPECT_EQ(reader.offset(2), 8 * most);
  EXPECT_EQ(reader.tokens(), 3 * most);
  EXPECT_EQ(reader.document_border(3), 3);
}

TEST(PrepareJournalTest, ComesBackAsItWasWritten) {
  PrepareJournal journal;
  journal.identity = {{"inputs", "1"}};
  journal.position = {3, int64_t{1} << 40, 7, 9};
  journal.bytes = 5;
  journal.keys = {{{1, 2, 3}, {.key = "text", .prefix = "p", .longest = 4}}};
  const auto back = PrepareJournal::parse(journal.text());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->text(), journal.text());
  EXPECT_FALSE(PrepareJournal::parse(journal.text().substr(0, 50)).has_value());
}

}  // namespace
}  // namespace longhaul
