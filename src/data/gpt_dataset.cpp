#include "longhaul/data/gpt_dataset.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "data/dataset_description.h"
#include "data/gpt_index_cache.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
GptDataset::GptDataset(std::shared_ptr<const IndexedDatasetReader> reader, const GptDatasetOptions& options)
    : reader_(std::move(reader)), sequence_length_(options.sequence_length) {
  LONGHAUL_CHECK(options.sequence_length > 0, "sequence length {}", options.sequence_length);
  const GptOrder order{selected_range(options.split, options.split_string, reader_->sequences()),
                       options.sequence_length,
                       options.samples,
                       options.seed,
                       options.drop_last,
                       options.stable_order};
  const EpochPlan plan =
      plan_epochs(*reader_, order, dataset_name(reader_->prefix(), options.split, options.split_string));
  std::vector<std::pair<std::string, std::string>> more;
  if (order.stable) more.emplace_back("stable_order", "true");
  description_ = describe({"GPTDataset", reader_->prefix(), options.samples, options.split, options.seed,
                           options.sequence_length, options.split_string, options.tokenizer_json, more});
  const std::filesystem::path folder = options.cache_dir.empty()
                                           ? std::filesystem::path(reader_->prefix()) / "cache" / "GPTDataset_indices"
                                           : std::filesystem::path(options.cache_dir);
  // The path is left out: a dataset may move. Its size is in, as the sign that it is the same. So are the epochs and
  // how they are shuffled, which is all that the number of samples decides; in a stable order it decides nothing.
  const std::string shuffled = order.stable ? "stable" : fmt::format("{} {}", plan.epochs, plan.separate_last);
  order_id_ = hex64(
      xxh3(fmt::format("gpt {} {} {} {} {} {} {} {}", order.sequences.begin, order.sequences.end, order.sequence_length,
                       order.seed, order.drop_last, plan.tokens_per_epoch, reader_->tokens(), shuffled)));
  epochs_ = plan.epochs;
  tokens_per_epoch_ = plan.tokens_per_epoch;
  index_ = std::make_unique<const GptIndex>(
      load_or_build_gpt_index(*reader_, description_, options.split, order, plan, folder));
}

GptDataset::~GptDataset() = default;

int64_t GptDataset::size() const {
  return index_->shuffle.rows();
}

// Calls use(sequence, begin, count) for each run of tokens that the sample is made of, the label of the last included.
template <typename Use>
void GptDataset::for_each_part(int64_t index, Use use) const {
  LONGHAUL_CHECK(index >= 0 && index < size(), "sample {} of {}", index, size());
  const int64_t row = 2 * index_->shuffle[index];
  const int64_t last = index_->samples[row + 2];
  const int64_t end_offset = index_->samples[row + 3] + 1;  // one more: the label of the last token
  int64_t begin = index_->samples[row + 1];
  for (int64_t at = index_->samples[row]; at <= last; ++at, begin = 0) {
    const int64_t sequence = index_->documents[at];
    const int64_t length = reader_->length(sequence);
    const int64_t count = (at == last ? std::min(end_offset, length) : length) - begin;
    if (count > 0) use(sequence, begin, count);  // else an empty sequence
  }
}

void GptDataset::get(int64_t index, Sample& sample) const {
  const auto wanted = static_cast<size_t>(sequence_length_ + 1);
  sample.labels.resize(wanted);
  size_t filled = 0;
  for_each_part(index, [&](int64_t sequence, int64_t begin, int64_t count) {
    LONGHAUL_CHECK(filled + static_cast<size_t>(count) <= wanted, "sample {} is too long", index);
    reader_->read(sequence, begin, std::span(sample.labels).subspan(filled, static_cast<size_t>(count)));
    filled += static_cast<size_t>(count);
  });
  LONGHAUL_CHECK(filled > 0, "sample {} is empty", index);
  std::fill(sample.labels.begin() + static_cast<std::ptrdiff_t>(filled), sample.labels.end(), 0);
  sample.tokens.assign(sample.labels.begin(), sample.labels.end() - 1);
  sample.labels.erase(sample.labels.begin());
  sample.valid = static_cast<int64_t>(filled) - 1;
}

std::vector<SamplePart> GptDataset::parts(int64_t index) const {
  std::vector<SamplePart> found;
  for_each_part(index, [&](int64_t sequence, int64_t begin, int64_t count) {
    found.push_back({reader_->prefix(), reader_->document_of(sequence), sequence, begin, count});
  });
  return found;
}

}  // namespace longhaul
