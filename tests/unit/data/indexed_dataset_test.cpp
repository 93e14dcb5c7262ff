#include "longhaul/data/indexed_dataset.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "corpora.h"
#include "longhaul/core/error.h"
#include "longhaul/data/id_check.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size();) {
    if (hex[i] == ' ' || hex[i] == '\n') {
      ++i;
      continue;
    }
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    i += 2;
  }
  return bytes;
}

constexpr std::string_view kIdxA =
    "4d4d494449445800 00 0100000000000000 08 0200000000000000 0400000000000000 04000000 03000000 "
    "0000000000000000 0800000000000000 0000000000000000 0100000000000000 0100000000000000 0200000000000000";
constexpr std::string_view kBinA = "0a00 0b00 0c00 50c4 1400 1500 50c4";

class IndexedDatasetTest : public FolderTest {
 protected:
  void write_pair(const std::string& name, std::string_view bin, std::string_view idx) {
    write_plainly(path(name + ".bin"), bin);
    write_plainly(path(name + ".idx"), idx);
  }
};

TEST_F(IndexedDatasetTest, DocumentsWithTwoByteIds) {
  write_documents(path("a"), token_type_for_vocabulary(50257), {{10, 11, 12, 50256}, {}, {20, 21, 50256}});
  EXPECT_EQ(read_text(path("a.bin")), bytes_of(kBinA));
  EXPECT_EQ(read_text(path("a.idx")), bytes_of(kIdxA));
  EXPECT_EQ(files_in(folder_), 2) << "no temporary file stays";

  const IndexedDatasetReader reader(path("a"));
  EXPECT_EQ(reader.token_type(), TokenType::uint16);
  EXPECT_EQ(reader.sequences(), 2);
  EXPECT_EQ(reader.documents(), 3);
  EXPECT_EQ(reader.tokens(), 7);
  EXPECT_FALSE(reader.multimodal());
  EXPECT_EQ(reader.get(0), (std::vector<int64_t>{10, 11, 12, 50256}));
  EXPECT_EQ(reader.get(1), (std::vector<int64_t>{20, 21, 50256}));
  EXPECT_EQ(reader.document_border(1), reader.document_border(2)) << "the second document is empty";
  std::vector<int64_t> slice(2);
  reader.read(0, 1, slice);
  EXPECT_EQ(slice, (std::vector<int64_t>{11, 12}));
  EXPECT_EQ(IndexedDatasetReader(path("a.idx")).prefix(), path("a")) << "an extension is no mistake";
}

TEST_F(IndexedDatasetTest, SentencesWithFourByteIds) {
  IndexedDatasetWriter writer(path("b"), token_type_for_vocabulary(100000));
  writer.add_documents(std::vector<int32_t>{1, 2, 3, 4, 5, 70000}, std::vector<int32_t>{2, 3, 1},
                       std::vector<int32_t>{2, 1});
  writer.finalize();
  EXPECT_EQ(read_text(path("b.bin")), bytes_of("01000000 02000000 03000000 04000000 05000000 70110100"));
  EXPECT_EQ(read_text(path("b.idx")),
            bytes_of("4d4d494449445800 00 0100000000000000 04 0300000000000000 0300000000000000 "
                     "02000000 03000000 01000000 0000000000000000 0800000000000000 1400000000000000 "
                     "0000000000000000 0200000000000000 0300000000000000"));
}

TEST_F(IndexedDatasetTest, MultimodalFilesAreTold) {
  write_pair("c", bytes_of("01000000 02000000 03000000"),
             bytes_of("4d4d494449445800 00 0100000000000000 04 0200000000000000 0200000000000000 02000000 01000000 "
                      "0000000000000000 0800000000000000 0000000000000000 0200000000000000 00 01"));
  const IndexedDatasetReader reader(path("c"));
  EXPECT_TRUE(reader.multimodal());
  EXPECT_EQ(reader.mode(0), 0);
  EXPECT_EQ(reader.mode(1), 1);
  EXPECT_EQ(reader.get(1), std::vector<int64_t>{3});
}

TEST_F(IndexedDatasetTest, AnEmptyDatasetIsValid) {
  write_documents(path("z"), TokenType::uint16, {});
  EXPECT_EQ(std::filesystem::file_size(path("z.idx")), 42U);
  EXPECT_EQ(std::filesystem::file_size(path("z.bin")), 0U);
  const IndexedDatasetReader reader(path("z"));
  EXPECT_EQ(reader.sequences(), 0);
  EXPECT_EQ(reader.documents(), 0);
}

TEST_F(IndexedDatasetTest, EveryTokenTypeReadsBack) {
  for (const TokenType type :
       {TokenType::uint8, TokenType::int8, TokenType::int16, TokenType::int32, TokenType::int64, TokenType::uint16}) {
    write_documents(path("t"), type, {{1, 2, 127}, {0}});
    const IndexedDatasetReader reader(path("t"));
    EXPECT_EQ(reader.token_type(), type);
    EXPECT_EQ(reader.get(0), (std::vector<int64_t>{1, 2, 127}));
    EXPECT_EQ(reader.offset(1), 3 * token_bytes(type));
  }
}

TEST(TokenTypeTest, FollowsTheVocabulary) {
  EXPECT_EQ(token_type_for_vocabulary(65499), TokenType::uint16);
  EXPECT_EQ(token_type_for_vocabulary(65500), TokenType::int32);
  EXPECT_EQ(token_type_for_vocabulary(std::nullopt), TokenType::int32);
}

TEST_F(IndexedDatasetTest, IdsOutOfRangeAreRefused) {
  for (const int32_t token : {70000, -1, 65536}) {
    IndexedDatasetWriter writer(path("r"), TokenType::uint16);
    const std::string message = message_of<UserError>([&] { writer.add_sequence(std::vector<int32_t>{1, token}); });
    EXPECT_CONTAINS(message, fmt::format("token id {} does not fit", token));
  }
  EXPECT_EQ(files_in(folder_), 0);
}

TEST_F(IndexedDatasetTest, IdsAreCheckedAgainstTheVocabulary) {
  write_documents(path("a"), TokenType::uint16, {{7, 3, 12}, {}, {50256}});
  const IndexedDatasetReader reader(path("a"));
  const IdRange range = check_ids(reader, 50257);
  EXPECT_EQ(range.smallest, 3);
  EXPECT_EQ(range.largest, 50256);
  const std::string message = message_of<UserError>([&] { check_ids(reader, 50256); });
  EXPECT_CONTAINS(message, "a.bin: token 0 of sequence 1 (byte 6) is 50256, but the vocabulary has 50256 ids");
  write_pair("n", bytes_of("0100 ffff"), [] {
    std::string idx = bytes_of(kIdxA).substr(0, 34);
    idx[17] = 3;  // int16
    idx[18] = 1;
    idx[26] = 2;
    return idx + bytes_of("02000000 0000000000000000 0000000000000000 0100000000000000");
  }());
  const std::string negative = message_of<UserError>([&] { check_ids(IndexedDatasetReader(path("n")), std::nullopt); });
  EXPECT_CONTAINS(negative, "a token of sequence 0 is negative");
}

TEST_F(IndexedDatasetTest, NothingAppearsBeforeFinalize) {
  write_documents(path("a"), TokenType::int32, {{1, 2, 3}});
  {
    IndexedDatasetWriter writer(path("a"), TokenType::int32);
    writer.add_sequence(std::vector<int32_t>(3'000'000, 7));  // more than the writer buffers
    writer.end_document();
    EXPECT_EQ(IndexedDatasetReader(path("a")).get(0), (std::vector<int64_t>{1, 2, 3}));
  }
  EXPECT_EQ(IndexedDatasetReader(path("a")).tokens(), 3);
  EXPECT_EQ(files_in(folder_), 2);
}

TEST_F(IndexedDatasetTest, MissingFilesAreNamed) {
  EXPECT_CONTAINS(message_of<UserError>([&] { IndexedDatasetReader reader(path("nothing")); }), "nothing.idx");
  write_documents(path("corpus_text_document"), TokenType::int32, {{1}});
  EXPECT_CONTAINS(message_of<UserError>([&] { IndexedDatasetReader reader(path("corpus")); }),
                  "did you mean " + path("corpus_text_document"));
  std::filesystem::remove(path("corpus_text_document.bin"));
  EXPECT_CONTAINS(message_of<UserError>([&] { IndexedDatasetReader reader(path("corpus_text_document")); }),
                  "corpus_text_document.bin does not exist");
}

TEST_F(IndexedDatasetTest, EveryKindOfDamageIsToldApart) {
  const std::string bin = bytes_of(kBinA);
  const std::string idx = bytes_of(kIdxA);
  const auto message_for = [&](const std::string& damaged_bin, const std::string& damaged_idx) {
    write_pair("d", damaged_bin, damaged_idx);
    return message_of<UserError>([&] { IndexedDatasetReader reader(path("d")); });
  };
  const auto with = [&](size_t position, char value) {
    std::string changed = idx;
    changed[position] = value;
    return changed;
  };
  EXPECT_EQ(message_for(bin, idx), "");
  EXPECT_CONTAINS(message_for(bin, with(0, 'X')), "does not start with \"MMIDIDX\"");
  EXPECT_CONTAINS(message_for(bin, ""), "does not start with");
  EXPECT_CONTAINS(message_for(bin, idx.substr(0, 20)), "truncated: 20 bytes");
  EXPECT_CONTAINS(message_for(bin, with(9, 2)), "format version 2");
  EXPECT_CONTAINS(message_for(bin, with(17, 9)), "dtype code is 9");
  EXPECT_CONTAINS(message_for(bin, with(17, 7)), "floating point");
  EXPECT_CONTAINS(message_for(bin, with(17, 4)), "sequence 1 should start at byte 16");
  EXPECT_CONTAINS(message_for(bin, with(18, 3)), "3 sequences and 4 document borders need 102");
  EXPECT_CONTAINS(message_for(bin, with(25, 0x7f)), "cannot hold");
  EXPECT_CONTAINS(message_for(bin, with(33, 0x7f)), "cannot hold");
  EXPECT_CONTAINS(message_for(bin, with(26, 0)), "cannot hold");
  EXPECT_CONTAINS(message_for(bin, with(37, static_cast<char>(0x80))), "sequence 0 has the length -");
  EXPECT_CONTAINS(message_for(bin, with(50, 9)), "its offset is 9");
  EXPECT_CONTAINS(message_for(bin, with(58, 1)), "first document starts at sequence 1");
  EXPECT_CONTAINS(message_for(bin, with(66, 2)), "document 1 ends at sequence 1, before its start at 2");
  EXPECT_CONTAINS(message_for(bin, with(82, 1)), "last document ends at sequence 1");
  for (size_t size = 0; size < idx.size(); ++size) EXPECT_NE(message_for(bin, idx.substr(0, size)), "") << size;
  for (size_t size = 0; size < bin.size(); ++size) {
    EXPECT_CONTAINS(message_for(bin.substr(0, size), idx), "d.bin is truncated");
  }
  EXPECT_CONTAINS(message_for(bin + "x", idx), "d.bin does not belong to its index: it has 15 bytes");
}

// Whatever single byte of an index changes, the reader refuses it or gives the same ids.
TEST_F(IndexedDatasetTest, AnyChangedByteIsRefusedOrHarmless) {
  const std::string bin = bytes_of(kBinA);
  const std::string idx = bytes_of(kIdxA);
  const std::vector<std::vector<int64_t>> ids{{10, 11, 12, 50256}, {20, 21, 50256}};
  int accepted = 0;
  write_plainly(path("m.bin"), bin);
  for (size_t position = 0; position < idx.size(); ++position) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string changed = idx;
      changed[position] = static_cast<char>(changed[position] ^ flip);
      write_plainly(path("m.idx"), changed);
      try {
        const IndexedDatasetReader reader(path("m"));
        std::vector<std::vector<int64_t>> read;
        for (int64_t i = 0; i < reader.sequences(); ++i) read.push_back(reader.get(i));
        EXPECT_EQ(read, ids) << position << " ^ " << flip;
        ++accepted;
        // Another border between the two sequences for the empty document.
        EXPECT_TRUE(position >= 66 && position < 82) << position << " ^ " << flip;
      } catch (const UserError& error) {
        EXPECT_CONTAINS(std::string(error.what()), path("m"));
      }
      if (flip == 1)
        flip = 0x0e;  // a sample of values: 1, 15, 16, 127, 128, 255
      else if (flip == 0x10)
        flip = 0x7e;
      else if (flip == 0x80)
        flip = 0xfe;
    }
  }
  EXPECT_LT(accepted, 8);
}

// The address space of this process may grow by so many bytes only, while this lives.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(rlim_t more) {
    getrlimit(RLIMIT_AS, &before_);
    long pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + more;
    setrlimit(RLIMIT_AS, &limit);
  }
  ~AddressSpaceLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

TEST_F(IndexedDatasetTest, AFileThatCantBeMappedIsReadPieceByPiece) {
  // Two documents: 3 ids, and 2^30 in a hole of the file.
  constexpr int64_t kHole = int64_t{1} << 30;
  write_documents(path("big"), TokenType::int32, {{7, 8, 9}, {10}});
  std::string idx = read_text(path("big.idx"));
  const auto length = static_cast<int32_t>(kHole);
  std::memcpy(idx.data() + IndexedDatasetReader::kHeaderBytes + 4, &length, 4);
  write_text(path("big.idx"), idx);
  std::filesystem::resize_file(path("big.bin"), 4 * (3 + kHole));

  const AddressSpaceLimit limit(rlim_t{1} << 30);
  const IndexedDatasetReader reader(path("big"));
  EXPECT_EQ(reader.tokens(), 3 + kHole);
  EXPECT_EQ(reader.get(0), (std::vector<int64_t>{7, 8, 9}));
  std::vector<int64_t> ids(3, -1);
  reader.read(1, 0, ids);
  EXPECT_EQ(ids, (std::vector<int64_t>{10, 0, 0}));
  reader.read(1, kHole - 3, ids);
  EXPECT_EQ(ids, (std::vector<int64_t>{0, 0, 0}));
  const TokenFile file(path("big.bin"));
  EXPECT_FALSE(file.mapped()) << "the limit must have been felt";
  std::filesystem::resize_file(path("big.bin"), 8);
  EXPECT_CONTAINS(message_of<EnvironmentError>([&] { reader.get(0); }), "has become shorter");
}

}  // namespace
}  // namespace longhaul
