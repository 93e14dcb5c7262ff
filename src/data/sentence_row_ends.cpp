#include "data/sentence_row_ends.h"

#include <algorithm>

#include "data/in_parallel.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr size_t kPiece = size_t{1} << 16;  // sentences that are worth more than one thread

// The last sentence of a document never stands alone.
int64_t last_one_too(int64_t end, int64_t document_end) {
  return document_end - end > 1 ? end : document_end;
}

}  // namespace

SentenceRowEnds::SentenceRowEnds(const IndexedDatasetReader& reader, const SentenceOrder& order,
                                 const std::string& what)
    : reader_(reader), order_(order), first_(reader.document_border(order.documents.begin)) {
  counts_.resize(static_cast<size_t>(reader.document_border(order.documents.end) - first_), kUseless);
  const size_t threads = counts_.size() < kPiece ? 1 : index_threads();
  const auto part = [&](size_t thread) {
    return order.documents.begin +
           order.documents.count() * static_cast<int64_t>(thread) / static_cast<int64_t>(threads);
  };
  std::vector<Found> parts(threads);
  in_parallel(threads, [&](size_t thread) { parts[thread] = look_at({part(thread), part(thread + 1)}); });
  Found all;
  for (const Found& found : parts) {
    all.short_documents += found.short_documents;
    all.long_documents += found.long_documents;
    all.rows += found.rows;
  }
  if (all.rows == 0) {
    throw UserError(
        "{} has no document to take samples from: of {} documents, {} have fewer than {} sentences and {} have a sentence of more "
        "than {} tokens; prepare the texts cut into sentences, and see that each share of the split holds some",
        what, order.documents.count(), all.short_documents, order.fewest_sentences, all.long_documents,
        kLongestSentence);
  }
  rows_ = all.rows;
}

int64_t SentenceRowEnds::gather(int64_t begin, int64_t document_end, int64_t target) const {
  int64_t tokens = 0, end = begin;
  while (end < document_end && !is_full(end - begin, tokens, target)) tokens += reader_.length(end++);
  return last_one_too(end, document_end);
}

bool SentenceRowEnds::has_long_sentence(int64_t begin, int64_t end) const {
  if (end - begin <= 1) return false;
  for (int64_t i = begin; i < end; ++i) {
    if (reader_.length(i) > kLongestSentence) return true;
  }
  return false;
}

SentenceRowEnds::Found SentenceRowEnds::look_at(const SequenceRange& documents) {
  Found found;
  for (int64_t i = documents.begin; i < documents.end; ++i) {
    const int64_t begin = reader_.document_border(i), end = reader_.document_border(i + 1);
    const bool is_short = end - begin < order_.fewest_sentences, is_long = has_long_sentence(begin, end);
    found.short_documents += is_short ? 1 : 0;
    found.long_documents += is_long ? 1 : 0;
    if (is_short || is_long) continue;
    count_sentences(begin, end);
    for (int64_t at = begin; at < end; at = find(at, end, order_.longest)) ++found.rows;
  }
  return found;
}

void SentenceRowEnds::count_sentences(int64_t begin, int64_t end) {
  int64_t tokens = 0, row_end = begin;
  for (int64_t i = begin; i < end; ++i) {
    while (row_end < end && !is_full(row_end - i, tokens, order_.longest)) tokens += reader_.length(row_end++);
    const int64_t count = last_one_too(row_end, end) - i;
    counts_[static_cast<size_t>(i - first_)] = static_cast<uint8_t>(std::min<int64_t>(count, kMany));
    tokens -= reader_.length(i);
  }
}

}  // namespace longhaul
