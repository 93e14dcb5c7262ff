#include "longhaul/data/prepare.h"

#include <unistd.h>

#include <array>
#include <random>
#include <sstream>
#include <thread>

#include "data/prepare/block_reader.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/merge.h"
#include "longhaul/data/prepared_info.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Integers = std::vector<int64_t>;

// Texts are decimal ids; words that are no number have none.
PrepareTokenizer numbers(int64_t vocab_size = 1000) {
  PrepareTokenizer tokenizer;
  tokenizer.vocab_size = vocab_size;
  tokenizer.eod_id = static_cast<int32_t>(vocab_size - 1);
  tokenizer.fingerprint = "numbers";
  tokenizer.make_encoder = [](bool add_special_tokens) {
    return [add_special_tokens](std::string_view text, std::vector<int32_t>& ids) {
      if (add_special_tokens) ids.push_back(1);
      std::istringstream stream{std::string(text)};
      for (int32_t id = 0; stream >> id;) ids.push_back(id);
    };
  };
  return tokenizer;
}

class PrepareTest : public FolderTest {
 protected:
  PrepareTest() {
    options_.append_eod = true;
    options_.add_special_tokens = false;
    options_.workers = 2;
    options_.show_progress = false;
  }
  void SetUp() override {
    FolderTest::SetUp();
    options_.output_prefix = path("out");
    std::filesystem::create_directories(path("in"));
  }
  void input(const std::string& name, std::string_view text) {
    write_plainly(path("in/" + name), text);
    options_.inputs.push_back(path("in/" + name));
  }
  PrepareReport run() { return prepare(options_, numbers()); }
  std::string error() {
    return message_of<UserError>([&] { run(); });
  }
  std::vector<Integers> sequences(const std::string& name = "out_text_document") {
    const IndexedDatasetReader reader(path(name));
    std::vector<Integers> all;
    for (int64_t i = 0; i < reader.sequences(); ++i) all.push_back(reader.get(i));
    return all;
  }
  int64_t outputs() const {
    int64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      count += entry.path().filename().string().starts_with("out");
    }
    return count;
  }
  PrepareOptions options_;
};

TEST_F(PrepareTest, IsMegatrons) {
  input("a.jsonl",
        "{\"text\":\"1 2 3\"}\n{\"text\":\"4 5\"}\n{\"text\":\"6\"}\n{\"text\":\"7 8 9 "
        "10\"}\n{\"text\":\"11\"}\n");
  const PrepareReport report = run();
  EXPECT_EQ(read_text(path("out_text_document.bin")),
            std::string("\1\0\2\0\3\0\xe7\3\4\0\5\0\xe7\3\6\0\xe7\3\7\0\x8\0\x9\0\xa\0\xe7\3\xb\0\xe7\3", 32));
  EXPECT_EQ(sequences(), (std::vector<Integers>{{1, 2, 3, 999}, {4, 5, 999}, {6, 999}, {7, 8, 9, 10, 999}, {11, 999}}));
  ASSERT_EQ(report.datasets.size(), 1U);
  const PreparedDataset& made = report.datasets[0];
  EXPECT_EQ(made.prefix, path("out_text_document"));
  EXPECT_EQ(made.documents, 5);
  EXPECT_EQ(made.tokens, 16);
  EXPECT_EQ(made.longest, 5);
  EXPECT_EQ(made.empty, 0);
  EXPECT_EQ(made.largest_id, 999);
  EXPECT_EQ(report.files, 1);
  const auto info = read_prepared_info(made.prefix);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->tokenizer_fingerprint, "numbers");
  EXPECT_EQ(info->vocab_size, 1000);
  EXPECT_EQ(info->eod_id, 999);
  EXPECT_TRUE(info->append_eod);
  EXPECT_FALSE(info->add_special_tokens);
  EXPECT_EQ(info->documents, 5);
  EXPECT_EQ(info->tokens, 16);
  EXPECT_EQ(outputs(), 3) << ".bin, .idx and .json";
}

TEST_F(PrepareTest, ListsAndEmptyDocuments) {
  input("a.jsonl", "{\"text\":[\"1 2\",\"3\"]}\n{\"text\":[]}\n{\"text\":\"4\"}");
  EXPECT_EQ(run().datasets[0].empty, 1);
  EXPECT_EQ(sequences(), (std::vector<Integers>{{1, 2}, {3, 999}, {4, 999}}));
  const IndexedDatasetReader reader(path("out_text_document"));
  EXPECT_EQ(reader.documents(), 3);
  EXPECT_EQ(reader.document_border(1), 2);
  EXPECT_EQ(reader.document_border(2), 2);
}

TEST_F(PrepareTest, OptionsTakeEffect) {
  input("a.jsonl", "{\"text\":\"5 6\",\"title\":\"7\"}\n{\"text\":\"\",\"title\":\"8\"}\n");
  options_.append_eod = false;
  options_.add_special_tokens = true;
  options_.json_keys = {"text", "title"};
  EXPECT_EQ(run().datasets.size(), 2U);
  EXPECT_EQ(sequences(), (std::vector<Integers>{{1, 5, 6}, {1}}));
  EXPECT_EQ(sequences("out_title_document"), (std::vector<Integers>{{1, 7}, {1, 8}}));
}

TEST_F(PrepareTest, InputsInOrder) {
  std::filesystem::create_directories(path("in/deep"));
  std::filesystem::create_directories(path("in/.hidden"));
  write_plainly(path("in/b.json"), "{\"text\":\"2\"}\n");
  write_plainly(path("in/a.jsonl"), "{\"text\":\"1\"}\n\n \n");
  write_plainly(path("in/deep/c.txt"),
                "\xEF\xBB\xBF"
                "3\n4\n");
  write_plainly(path("in/empty.jsonl"), "\n");
  write_plainly(path("in/.hidden/x.txt"), "9");
  options_.append_eod = false;
  options_.output_prefix = path("in/out");  // what is written there is no input of the next run
  options_.overwrite = true;
  for (int round = 0; round < 2; ++round) {
    options_.inputs = {path("in")};
    EXPECT_EQ(run().datasets[0].documents, 3);
    EXPECT_EQ(sequences("in/out_text_document"), (std::vector<Integers>{{1}, {2}, {3, 4}}));
  }
  options_.inputs = {path("in/deep/*.txt"), path("in/[ab].json*")};
  run();
  EXPECT_EQ(sequences("in/out_text_document"), (std::vector<Integers>{{3, 4}, {1}, {2}}));
}

TEST_F(PrepareTest, InputsThatCantBeReadAreNamed) {
  options_.inputs = {};
  EXPECT_CONTAINS(error(), "no input");
  options_.inputs = {path("in/none.jsonl")};
  EXPECT_CONTAINS(error(), "none.jsonl: it does not exist");
  options_.inputs = {path("in/*.jsonl")};
  EXPECT_CONTAINS(error(), "no file matches");
  options_.inputs = {path("in")};
  EXPECT_CONTAINS(error(), "holds no files");
  for (const auto& [name, message] :
       std::vector<std::pair<std::string, std::string>>{{"a.jsonl.xz", "only .gz and .zst are read"},
                                                        {"a.parquet", "turn it into JSON lines first"},
                                                        {"a.jsonl.gz", "is neither gzip nor zstd"},
                                                        {"a.jsonl.zst", "is neither gzip nor zstd"}}) {
    write_plainly(path("in/" + name), "no archive");
    options_.inputs = {path("in/" + name)};
    EXPECT_CONTAINS(error(), message);
    std::filesystem::remove(path("in/" + name));
  }
  input("a.jsonl", "{\"text\":\"1\"}\n");
  options_.inputs = {path("in/a.jsonl"), path("in/*.jsonl")};
  EXPECT_CONTAINS(error(), "named twice");
}

TEST_F(PrepareTest, AFileAndALinkToItInOneFolderAreReadOnce) {
  input("a.jsonl", "{\"text\":\"1\"}\n");
  std::filesystem::create_symlink("a.jsonl", path("in/b.jsonl"));
  for (const std::string& whole : {path("in"), path("in/*.jsonl")}) {
    options_.inputs = {whole};
    run();
    EXPECT_EQ(sequences(), (std::vector<Integers>{{1, 999}}));
  }
}

TEST_F(PrepareTest, NoDocumentIsAnError) {
  input("a.jsonl", "");
  EXPECT_CONTAINS(error(), "holds no documents");
  input("b.jsonl", "{\"text\":\"\"}\n{\"text\":[]}\n");
  EXPECT_CONTAINS(error(), "all 2 documents are empty");
  EXPECT_EQ(outputs(), 0);
}

TEST_F(PrepareTest, ABadLineIsFoundWhereverItIs) {
  std::string text;
  for (int i = 0; i < 60000; ++i) text += fmt::format("{{\"text\":\"{} 3 4 5 6 7 8 9 10 11 12 13\"}}\n", i % 900);
  const int64_t byte = static_cast<int64_t>(text.size());
  text += "{\"text\": 1}\n{\"text\":\"14\"}\n\n{\"text\":\"15\"}\n";
  ASSERT_GT(text.size(), 2 * BlockReader::kBlockBytes);
  input("a.jsonl", text);
  const std::string place = fmt::format("a.jsonl, line 60001 (byte {}): the value of \"text\" is a number", byte);
  for (const int64_t workers : {1, 3}) {
    options_.workers = workers;
    EXPECT_CONTAINS(error(), place);
    EXPECT_EQ(outputs(), 0);
  }
  options_.on_bad_line = OnBadLine::skip;
  const PrepareReport report = run();
  EXPECT_EQ(report.bad_lines, 2);
  EXPECT_EQ(report.datasets[0].documents, 60002);
}

TEST_F(PrepareTest, TextMustBeUtf8) {
  input("a.txt", "1 2 \xff 3");
  EXPECT_CONTAINS(error(), "a.txt, byte 4: this is not UTF-8");
  options_.on_bad_line = OnBadLine::skip;
  input("b.txt", "5");
  EXPECT_EQ(run().bad_lines, 1);
  EXPECT_EQ(sequences(), (std::vector<Integers>{{5, 999}}));
  options_.json_keys = {"text", "title"};
  EXPECT_CONTAINS(error(), "is plain text, but 2 JSON keys");
}

TEST_F(PrepareTest, OptionsAreChecked) {
  input("a.jsonl", "{\"text\":\"1\"}\n");
  PrepareTokenizer without_eod = numbers();
  without_eod.eod_id.reset();
  EXPECT_CONTAINS(message_of<UserError>([&] { prepare(options_, without_eod); }), "no end-of-document token");
  options_.json_keys = {"a/b"};
  EXPECT_CONTAINS(error(), "can't be part of a file's name");
  options_.json_keys = {"text", "text"};
  EXPECT_CONTAINS(error(), "named twice");
  options_.json_keys = {};
  EXPECT_CONTAINS(error(), "no JSON key");
  options_.json_keys = {"text"};
  options_.output_prefix = "";
  EXPECT_CONTAINS(error(), "no output prefix");
}

TEST_F(PrepareTest, AnErrorOfTheTokenizerEndsTheRun) {
  input("a.jsonl", "{\"text\":\"70000\"}\n");
  EXPECT_CONTAINS(error(), "token id 70000 does not fit");
  EXPECT_EQ(outputs(), 0);
}

// The same bytes for any number of workers, and lines of any length across the borders of blocks.
TEST_F(PrepareTest, BytesDoNotDependOnWorkers) {
  std::mt19937 random(3);
  std::string text;
  while (text.size() < 6 * BlockReader::kBlockBytes) {
    text += "{\"text\":\"";
    const uint32_t words = random() % 50 == 0 ? 600000 : random() % 400;
    for (uint32_t i = 0; i < words; ++i) text += fmt::format("{} ", random() % 999);
    text += "\"}\n";
  }
  input("a.jsonl", text);
  std::string bin, idx;
  for (const int64_t workers : {1, 2, 5}) {
    options_.workers = workers;
    run();
    if (workers == 1) {
      bin = read_text(path("out_text_document.bin"));
      idx = read_text(path("out_text_document.idx"));
    }
    EXPECT_EQ(read_text(path("out_text_document.bin")), bin);
    EXPECT_EQ(read_text(path("out_text_document.idx")), idx);
  }
}

TEST(BlockReaderTest, AStreamGivesTheSameLinesAsAFile) {
  std::string text = "\n{\"a\": 1}\r\n\n";
  std::mt19937 random(4);
  while (text.size() < 3 * BlockReader::kBlockBytes) {
    text += std::string(random() % 300000, 'x') + std::string(1 + random() % 3, '\n');
  }
  text += " \r\n\n";
  const std::string content = text.substr(0, text.find('\n', text.find_last_not_of(" \r\n")));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::jthread writer([&] {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(ends[1], text.data() + at, std::min<size_t>(text.size() - at, 50000));
      ASSERT_GT(n, 0);
      at += static_cast<size_t>(n);
    }
    ::close(ends[1]);
  });
  BlockReader reader({{{.path = "standard input", .kind = InputKind::standard_input}}}, {}, ends[0]);
  TextBlock block;
  std::string joined;
  int64_t blocks = 0;
  while (reader.next(block)) {
    EXPECT_EQ(block.place.byte, static_cast<int64_t>(joined.size()));
    EXPECT_EQ(block.place.line, 1 + std::count(joined.begin(), joined.end(), '\n'));
    EXPECT_TRUE(joined.empty() || joined.back() == '\n') << "a block begins inside a line";
    joined += block.text;
    ++blocks;
  }
  ::close(ends[0]);
  EXPECT_EQ(joined, content);
  EXPECT_GE(blocks, 2);
}

TEST_F(PrepareTest, LinesOfTextAreDocumentsIfWanted) {
  input("a.txt",
        "\xEF\xBB\xBF"
        "1 2\r\n\n \t\n3\n4");
  options_.text_documents = TextDocuments::lines;
  EXPECT_EQ(run().datasets[0].documents, 3);
  EXPECT_EQ(sequences(), (std::vector<Integers>{{1, 2, 999}, {3, 999}, {4, 999}}));
}

TEST_F(PrepareTest, CountsWhatItHasSeen) {
  input("a.jsonl",
        "{\"text\":\"1 2 3\"}\n{\"text\":\"4\"}\n{\"text\":\"1 2 3\"}\n{\"text\":\"\"}\n{\"text\":\"1 2 3\"}\n");
  options_.append_eod = false;
  const PreparedDataset made = run().datasets[0];
  EXPECT_EQ(made.text_bytes, 16);
  EXPECT_EQ(made.duplicates, 2);
  EXPECT_EQ(made.duplicates_share, 1);
  EXPECT_EQ(made.empty, 1);
  EXPECT_EQ(made.lengths[0], 1);
  EXPECT_EQ(made.lengths[1], 1);
  EXPECT_EQ(made.lengths[2], 3);
}

TEST_F(PrepareTest, BadLinesAreKeptIfWanted) {
  input("a.jsonl", "{\"text\":\"1\"}\n{\"text\": \n{\"text\":\"\xff\"}\n{\"text\":\"2\"}\n");
  options_.on_bad_line = OnBadLine::quarantine;
  const PrepareReport report = run();
  EXPECT_EQ(report.bad_lines, 2);
  EXPECT_EQ(report.quarantine, path("out.quarantine.jsonl"));
  const std::string kept = read_text(report.quarantine);
  EXPECT_EQ(std::count(kept.begin(), kept.end(), '\n'), 2);
  EXPECT_CONTAINS(
      kept,
      R"("line":2,"byte":13,"reason":"not valid JSON at byte 9 of the line: the line ends too early","raw":"{\"text\": "})");
  EXPECT_CONTAINS(kept,
                  R"("line":3,"byte":23,"reason":"byte 9 of the line is not UTF-8","raw_base64":"eyJ0ZXh0Ijoi/yJ9"})");
  write_plainly(path("in/a.jsonl"), "{\"text\":\"1\"}\n");
  options_.overwrite = true;
  EXPECT_EQ(run().quarantine, "");
  EXPECT_FALSE(std::filesystem::exists(path("out.quarantine.jsonl"))) << "of the run before";
}

TEST_F(PrepareTest, PartitionsMergeToTheWhole) {
  std::mt19937 random(5);
  for (const char* name : {"a.jsonl", "b.jsonl", "c.jsonl"}) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += fmt::format("{{\"text\":\"{}\"}}{}", i, random() % 9 == 0 ? "   \r\n" : "\n");
    input(name, text + (random() % 2 == 0 ? "\n\n" : ""));
  }
  input("d.txt", "7 8 9");
  input("e.jsonl", "{\"text\":\"1\"}");
  const int64_t documents = run().datasets[0].documents;
  const std::string bin = read_text(path("out_text_document.bin")), idx = read_text(path("out_text_document.idx"));
  for (const int64_t count : {3, 11}) {
    std::vector<std::string> parts;
    int64_t sum = 0;
    for (int64_t i = 1; i <= count; ++i) {
      options_.partition = {i, count};
      const PreparedDataset made = run().datasets[0];
      parts.push_back(made.prefix);
      sum += made.documents;
    }
    EXPECT_EQ(sum, documents);
    EXPECT_EQ(merge_datasets(parts, path("merged"), /*overwrite=*/true).documents, documents);
    EXPECT_EQ(read_text(path("merged.bin")), bin) << count;
    EXPECT_EQ(read_text(path("merged.idx")), idx) << count;
    EXPECT_FALSE(read_prepared_info(path("merged"))->partition.has_value());
  }
}

TEST_F(PrepareTest, RoundRobinIsMegatrons) {
  input("a.jsonl", "{\"text\":\"0\"}\n{\"text\":\"1\"}\n{\"text\":\"2\"}\n");
  input("b.jsonl", "{\"text\":\"3\"}\n{\"text\":\"4\"}\n");
  options_.append_eod = false;
  std::vector<std::string> parts;
  for (int64_t i = 1; i <= 2; ++i) {
    options_.partition = {i, 2, true};
    parts.push_back(run().datasets[0].prefix);
  }
  merge_datasets(parts, path("merged"));
  EXPECT_EQ(sequences("merged"), (std::vector<Integers>{{0}, {2}, {4}, {1}, {3}}));
  const auto refused = [&](const std::vector<std::string>& inputs) {
    return message_of<UserError>([&] { merge_datasets(inputs, path("other")); });
  };
  EXPECT_CONTAINS(refused({parts[0]}), "1 of 2 partitions");
  EXPECT_CONTAINS(refused({parts[1], parts[0]}), "it is partition 2 of 2, where partition 1 should be");
  EXPECT_CONTAINS(refused({parts[0], parts[0]}), "named twice");
  EXPECT_CONTAINS(refused({parts[0], path("merged")}), "it is no partition");
  EXPECT_CONTAINS(refused({}), "nothing to merge");
  EXPECT_FALSE(std::filesystem::exists(path("other.idx")));
}

TEST_F(PrepareTest, InfoThatIsDamagedIsAnError) {
  EXPECT_FALSE(read_prepared_info(path("none")).has_value());
  write_plainly(path("x.json"), "{\"vocab_size\": \"many\"}");
  EXPECT_CONTAINS(message_of<UserError>([&] { read_prepared_info(path("x")); }), "x.json is damaged");
}

}  // namespace
}  // namespace longhaul
