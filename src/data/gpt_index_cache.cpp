#include "data/gpt_index_cache.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <utility>

#include "data/index_cache.h"
#include "data/sample_index.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

enum : size_t { kDocuments, kSamples, kShuffle };

// A part of the memory that all orders of this process share which are being built or checked. One that needs the whole
// or more waits until it is the only one.
class MemoryShare {
 public:
  explicit MemoryShare(int64_t bytes) : bytes_(std::min(bytes, kAll)) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return bytes_ <= left_; });
    left_ -= bytes_;
  }
  ~MemoryShare() {
    const std::lock_guard lock(mutex_);
    left_ += bytes_;
    changed_.notify_all();
  }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

 private:
  static constexpr int64_t kAll = int64_t{2} << 30;
  static inline std::mutex mutex_;
  static inline std::condition_variable changed_;
  static inline int64_t left_ = kAll;
  const int64_t bytes_;
};

template <typename T>
void check_samples(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                   const EpochPlan& plan, const IndexArray& samples) {
  std::span<const std::byte> rest = samples.bytes();
  for_each_sample_row<T>(reader, documents, order, plan, [&](std::span<const T> rows) {
    if (std::memcmp(rest.data(), rows.data(), rows.size_bytes()) != 0) {
      throw UserError("its sample index does not follow from its document index");
    }
    rest = rest.subspan(rows.size_bytes());
  });
}

void check_entries(const IndexedDatasetReader& reader, const GptOrder& order, const EpochPlan& plan,
                   const std::vector<IndexArray>& arrays) {
  const MemoryShare share(gpt_index_memory(order, plan));
  const IndexArray &documents = arrays[kDocuments], &samples = arrays[kSamples], &shuffle = arrays[kShuffle];
  for (int64_t i = 0; i < documents.rows(); ++i) {
    check_index_entry("document index", documents[i], order.sequences.begin, order.sequences.end);
  }
  for (int64_t i = 0; i < shuffle.rows(); ++i) check_index_entry("shuffle index", shuffle[i], 0, shuffle.rows());
  std::vector<int32_t> stream(static_cast<size_t>(documents.rows()));
  std::memcpy(stream.data(), documents.bytes().data(), documents.bytes().size());
  const int64_t tokens = std::accumulate(stream.begin(), stream.end(), int64_t{0},
                                         [&](int64_t sum, int32_t sequence) { return sum + reader.length(sequence); });
  if (tokens != plan.epochs * plan.tokens_per_epoch)
    throw UserError("its document index repeats some documents and lacks others");
  sample_index_type(order, plan) == IndexArray::Type::int32
      ? check_samples<int32_t>(reader, stream, order, plan, samples)
      : check_samples<int64_t>(reader, stream, order, plan, samples);
}

}  // namespace

GptIndex load_or_build_gpt_index(const IndexedDatasetReader& reader, const std::string& description, Split split,
                                 const GptOrder& order, const EpochPlan& plan, const std::filesystem::path& folder) {
  IndexCacheEntry entry;
  entry.folder = folder;
  entry.name = fmt::format("GPTDataset-{}", split_name(split));
  entry.description = description;
  entry.what = fmt::format("{} ({})", reader.prefix(), split_name(split));
  entry.shapes = {{"document_index", IndexArray::Type::int32, plan.epochs * order.sequences.count()},
                  {"sample_index", sample_index_type(order, plan), plan.samples + 1, 2},
                  {"shuffle_index", shuffle_index_type(plan), plan.samples}};
  use_as_source(entry, reader);
  entry.check_entries = [&](const std::vector<IndexArray>& arrays) { check_entries(reader, order, plan, arrays); };
  entry.build = [&](std::span<IndexArrayWriter> arrays) {
    const MemoryShare share(gpt_index_memory(order, plan));
    build_gpt_index(reader, order, plan, {arrays[kDocuments], arrays[kSamples], arrays[kShuffle]});
  };
  std::vector<IndexArray> arrays = load_or_build(entry);
  return {std::move(arrays[kDocuments]), std::move(arrays[kSamples]), std::move(arrays[kShuffle])};
}

}  // namespace longhaul
