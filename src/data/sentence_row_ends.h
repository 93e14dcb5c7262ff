// Where the rows of a BERT or T5 dataset end: what sentence_index.h says of sentences that are gathered, for one row.
//
// Most rows have the longest target. Where these end doesn't depend on the rows before them, so it is found beforehand,
// by many threads, for every sentence that a row may begin with.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "data/sentence_index.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {

// Reader and order must outlive it. Memory: a byte a sentence.
class SentenceRowEnds {
 public:
  // Throws UserError, starting with `what`, when no document is of use.
  SentenceRowEnds(const IndexedDatasetReader& reader, const SentenceOrder& order, const std::string& what);

  // Rows of an epoch whose targets are all the longest: somewhat fewer than there are.
  int64_t rows() const { return rows_; }

  // Whether samples are taken of the document that has the sentences [begin, end).
  bool useful(int64_t begin, int64_t end) const { return begin < end && count_at(begin) != kUseless; }

  // Of a row with this target that begins with sentence `begin` of a document of use, which ends at `document_end`.
  int64_t find(int64_t begin, int64_t document_end, int64_t target) const {
    const uint8_t count = count_at(begin);
    return target == order_.longest && count != kMany ? begin + count : gather(begin, document_end, target);
  }

 private:
  struct Found {
    int64_t short_documents = 0, long_documents = 0, rows = 0;
  };
  static constexpr uint8_t kUseless = 0, kMany = std::numeric_limits<uint8_t>::max();  // so many or more: to be counted

  uint8_t count_at(int64_t sentence) const { return counts_[static_cast<size_t>(sentence - first_)]; }
  int64_t gather(int64_t begin, int64_t document_end, int64_t target) const;
  bool is_full(int64_t sentences, int64_t tokens, int64_t target) const {
    return tokens >= target && sentences >= order_.fewest_sentences;
  }
  bool has_long_sentence(int64_t begin, int64_t end) const;
  Found look_at(const SequenceRange& documents);
  void count_sentences(int64_t begin, int64_t end);

  const IndexedDatasetReader& reader_;
  const SentenceOrder& order_;
  const int64_t first_;          // sentence
  std::vector<uint8_t> counts_;  // the sentences of a row that begins with this one
  int64_t rows_ = 0;
};

}  // namespace longhaul
