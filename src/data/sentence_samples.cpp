#include "longhaul/data/sentence_samples.h"

#include <filesystem>
#include <limits>
#include <span>

#include "data/dataset_description.h"
#include "data/index_cache.h"
#include "data/python_json.h"
#include "data/sentence_index.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

constexpr int64_t kColumns = 3;

std::string json_bool(bool value) {
  return value ? "true" : "false";
}

std::string describe_sentences(const IndexedDatasetReader& reader, const SentenceDatasetOptions& options,
                               const SentenceSamples::Kind& kind) {
  const MaskingOptions& masking = options.masking;
  DatasetDescription description;
  description.dataset_class = kind.name;
  description.dataset_path = reader.prefix();
  description.samples = options.samples;
  description.index_split = options.split;
  description.seed = options.seed;
  description.sequence_length = options.sequence_length;
  description.split = options.split_string;
  description.tokenizer = options.tokenizer_json;
  description.more = {{"masking_probability", python_float(masking.probability)},
                      {"short_sequence_probability", python_float(options.short_probability)},
                      {"masking_max_ngram", fmt::to_string(masking.max_ngram)},
                      {"masking_do_full_word", json_bool(masking.whole_words)},
                      {"masking_do_permutation", "false"},
                      {"masking_use_longer_ngrams", json_bool(masking.longer_ngrams)},
                      {"masking_use_geometric_distribution", json_bool(masking.geometric)}};
  description.more.insert(description.more.end(), kind.described.begin(), kind.described.end());
  return describe(description);
}

SentenceOrder order_of(const IndexedDatasetReader& reader, const SentenceDatasetOptions& options,
                       const SentenceSamples::Kind& kind) {
  SentenceOrder order;
  order.documents = selected_range(options.split, options.split_string, reader.documents());
  order.longest = options.sequence_length - kind.special_tokens;
  order.short_probability = options.short_probability;
  order.samples = options.samples;
  order.seed = options.seed;
  order.fewest_sentences = kind.fewest_sentences;
  if (order.longest < 2) {
    throw UserError("a sequence of {} tokens is too short: {} of them are special, and 2 more are needed",
                    options.sequence_length, kind.special_tokens);
  }
  if (order.seed < 1 || order.seed > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) {
    throw UserError("the seed is {}; for sentence-level data it must be 1 … 2147483647", order.seed);
  }
  if (!(order.short_probability >= 0 && order.short_probability <= 1)) {
    throw UserError("the probability of a short sample is {}; it must be 0 … 1", order.short_probability);
  }
  return order;
}

// Rows of an array that nobody vouches for.
void check_rows(const IndexedDatasetReader& reader, const SentenceOrder& order, const IndexArray& rows) {
  const int64_t first = reader.document_border(order.documents.begin),
                last = reader.document_border(order.documents.end);
  for (int64_t i = 0; i < kColumns * rows.rows(); i += kColumns) {
    check_index_entry("sample index", rows[i], first, last);
    check_index_entry("sample index", rows[i + 1], rows[i] + order.fewest_sentences, last + 1);
    check_index_entry("sample index", rows[i + 2], 2, order.longest + 1);
  }
}

template <typename T>
IndexArray load_or_build_rows(const IndexedDatasetReader& reader, const SentenceOrder& order, IndexCacheEntry& entry) {
  std::vector<SentenceRow<T>> rows;
  entry.shapes = {{"sample_index", index_array_type<T>(), std::nullopt, kColumns}};
  entry.check_entries = [&](const std::vector<IndexArray>& arrays) { check_rows(reader, order, arrays[0]); };
  entry.count_rows = [&] {
    rows = build_sentence_index<T>(reader, order, entry.what);
    return std::ssize(rows);
  };
  entry.build = [&](std::span<IndexArrayWriter> arrays) {
    arrays[0].append(std::span(reinterpret_cast<const T*>(rows.data()), kColumns * rows.size()));
    rows = {};
  };
  return std::move(load_or_build(entry)[0]);
}

}  // namespace

SentenceSamples::SentenceSamples(std::shared_ptr<const IndexedDatasetReader> reader,
                                 const SentenceDatasetOptions& options, const Kind& kind)
    : reader_(std::move(reader)), seed_(options.seed), description_(describe_sentences(*reader_, options, kind)) {
  const SentenceOrder order = order_of(*reader_, options, kind);
  IndexCacheEntry entry;
  entry.folder = options.cache_dir.empty()
                     ? std::filesystem::path(reader_->prefix()) / "cache" / (kind.name + "_indices")
                     : std::filesystem::path(options.cache_dir);
  entry.name = kind.name;
  entry.description = description_;
  entry.what = dataset_name(reader_->prefix(), options.split, options.split_string);
  use_as_source(entry, *reader_);
  rows_ = std::make_unique<const IndexArray>(sentence_index_type(reader_->sequences()) == IndexArray::Type::uint64
                                                 ? load_or_build_rows<uint64_t>(*reader_, order, entry)
                                                 : load_or_build_rows<uint32_t>(*reader_, order, entry));
}

SentenceSamples::~SentenceSamples() = default;
SentenceSamples::SentenceSamples(SentenceSamples&&) noexcept = default;

int64_t SentenceSamples::size() const {
  return rows_->rows();
}

SentenceSamples::Row SentenceSamples::row(int64_t index) const {
  LONGHAUL_CHECK(index >= 0 && index < size(), "sample {} of {}", index, size());
  const IndexArray& rows = *rows_;
  return {rows[kColumns * index], rows[kColumns * index + 1], rows[kColumns * index + 2]};
}

std::vector<int64_t> SentenceSamples::tokens(int64_t begin, int64_t end) const {
  size_t count = 0;
  for (int64_t i = begin; i < end; ++i) count += static_cast<size_t>(reader_->length(i));
  std::vector<int64_t> tokens(count);
  std::span<int64_t> rest(tokens);
  for (int64_t i = begin; i < end; ++i) {
    const auto length = static_cast<size_t>(reader_->length(i));
    reader_->read(i, 0, rest.first(length));
    rest = rest.subspan(length);
  }
  return tokens;
}

int64_t SentenceSamples::document_of(int64_t sentence) const {
  return reader_->document_of(sentence);
}

RandomState SentenceSamples::random(int64_t index) const {
  return RandomState(static_cast<uint32_t>(seed_ + static_cast<uint64_t>(index)));
}

}  // namespace longhaul
