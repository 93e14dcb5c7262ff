#include "data/gpt_index_cache.h"

#include <sys/stat.h>

#include <utility>

#include "data/index_cache.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

enum : size_t { kDocuments, kSamples, kShuffle };

void check_entries(const std::vector<IndexArray>& arrays, const SequenceRange& sequences) {
  const IndexArray &documents = arrays[kDocuments], &samples = arrays[kSamples], &shuffle = arrays[kShuffle];
  for (int64_t i = 0; i < documents.rows(); ++i) {
    check_index_entry("document index", documents[i], sequences.begin, sequences.end);
  }
  for (int64_t i = 0; i < samples.rows(); ++i) {
    check_index_entry("sample index", samples[2 * i], i == 0 ? 0 : samples[2 * i - 2], documents.rows());
  }
  for (int64_t i = 0; i < shuffle.rows(); ++i) check_index_entry("shuffle index", shuffle[i], 0, shuffle.rows());
}

}  // namespace

GptIndex load_or_build_gpt_index(const IndexedDatasetReader& reader, const std::string& description, Split split,
                                 const GptOrder& order, const EpochPlan& plan, const std::filesystem::path& folder) {
  const std::string idx = reader.prefix() + ".idx";
  struct stat info {};
  if (::stat(idx.c_str(), &info) != 0) throw UserError("cannot read {}", idx);
  IndexCacheEntry entry;
  entry.folder = folder;
  entry.dataset_class = "GPTDataset";
  entry.split = split;
  entry.description = description;
  entry.what = reader.prefix();
  entry.shapes = {{"document_index", IndexArray::Type::int32, plan.epochs * order.sequences.count()},
                  {"sample_index", sample_index_type(order, plan), plan.samples + 1, 2},
                  {"shuffle_index", shuffle_index_type(plan), plan.samples}};
  entry.source_modified_ns = info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
  entry.source = {{"idx_bytes", info.st_size}, {"idx_modified_ns", entry.source_modified_ns}};
  entry.check_entries = [&](const std::vector<IndexArray>& arrays) { check_entries(arrays, order.sequences); };
  entry.build = [&] {
    GptIndex index = build_gpt_index(reader, order, plan);
    return std::vector<IndexArray>{std::move(index.documents), std::move(index.samples), std::move(index.shuffle)};
  };
  std::vector<IndexArray> arrays = load_or_build(entry);
  return {std::move(arrays[kDocuments]), std::move(arrays[kSamples]), std::move(arrays[kShuffle])};
}

}  // namespace longhaul
