// The cached order of a dataset: three .npy files. With Longhaul's record of checksums a damaged file is built anew,
// and the samples are the right ones; without the record, as Megatron writes them, the samples are at least real ones.
//
// An input is the three files one after another, cut where the second and the third begin.
#include <map>
#include <memory>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "scratch_folder.h"
#include "unit/data/corpora.h"

namespace longhaul::fuzz {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kArrays{"document_index.npy", "sample_index.npy", "shuffle_index.npy"};

class CachedOrder {
 public:
  explicit CachedOrder(bool with_record) : with_record_(with_record) {
    write_documents(folder_.path("g").string(), TokenType::uint16, corpus_g());
    reader_ = std::make_shared<const IndexedDatasetReader>(folder_.path("g").string());
    expected_ = samples();
    for (const auto& entry : fs::directory_iterator(folder_.path("cache")))
      files_[entry.path()] = read_text(entry.path());
  }

  std::string input() const {
    std::string bytes;
    for (const auto& name : kArrays) bytes += files_.at(file(name));
    return bytes;
  }

  void read(std::string_view input) {
    for (const auto& [path, bytes] : files_) {
      if (with_record_ || !path.string().ends_with("source.json")) write(path, bytes);
    }
    if (!with_record_) fs::remove(file("source.json"));
    size_t at = 0;
    for (const auto& name : kArrays) {
      const size_t size = name == kArrays.back() ? input.size() : files_.at(file(name)).size();
      const std::string_view bytes = input.substr(std::min(at, input.size()), size);
      write(file(name), bytes);
      at += size;
    }
    const auto found = samples();
    if (with_record_) LONGHAUL_CHECK(found == expected_, "wrong samples");
  }

 private:
  fs::path file(const std::string& ending) const {
    for (const auto& [path, bytes] : files_) {
      if (path.string().ends_with(ending)) return path;
    }
    return folder_.path("cache") / ending;
  }
  void write(const fs::path& path, std::string_view bytes) const {
    folder_.write("cache/" + path.filename().string(), bytes);
  }

  std::vector<std::vector<int64_t>> samples() const {
    GptDatasetOptions options;
    options.sequence_length = 4;
    options.samples = 7;  // two epochs, the last shuffled on its own
    options.cache_dir = folder_.path("cache").string();
    const GptDataset dataset(reader_, options);
    std::vector<std::vector<int64_t>> all;
    Sample sample;
    for (int64_t i = 0; i < dataset.size(); ++i) {
      dataset.get(i, sample);
      LONGHAUL_CHECK(sample.valid == 4, "a sample of {} labels", sample.valid);
      dataset.parts(i);
      all.push_back(sample.tokens);
    }
    return all;
  }

  bool with_record_;
  ScratchFolder folder_;
  std::shared_ptr<const IndexedDatasetReader> reader_;
  std::vector<std::vector<int64_t>> expected_;
  std::map<fs::path, std::string> files_;
};

}  // namespace

FuzzTarget fuzz_target() {
  auto ours = std::make_shared<CachedOrder>(true), theirs = std::make_shared<CachedOrder>(false);
  FuzzTarget target;
  target.seeds = {theirs->input()};
  for (const size_t begin : {size_t{0}, size_t{176}, size_t{416}}) {
    for (const size_t at : {0, 6, 8, 10, 21, 22, 60, 128, 129, 132, 136, 140, 144})
      target.offsets.push_back(begin + at);
  }
  target.words = {"<i2",   "<i4",   "<u4",   "<i8",     ">i4",       "<f4", "True",
                  "False", "shape", "(12,)", "(15, 2)", "(3, 5, 2)", "()"};
  target.read = [ours, theirs](std::string_view input) {
    theirs->read(input);
    ours->read(input);
  };
  return target;
}

}  // namespace longhaul::fuzz
