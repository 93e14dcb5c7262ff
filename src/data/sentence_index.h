// The order of a BERT or T5 dataset, as Megatron's helper `build_mapping` makes it: one array of rows
//
//   (first sentence, sentence behind the last, target length in tokens)
//
// Within a document, sentences are gathered until they have the target length; a row never crosses documents, and the
// last sentence of a document never stands alone. The target is `longest`, or now and then something shorter. Documents
// are gone through in the order of the file, epoch after epoch, until there are rows enough; then the rows are
// shuffled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/index_array.h"
#include "longhaul/data/split.h"

namespace longhaul {

class IndexedDatasetReader;

struct SentenceOrder {
  SequenceRange documents;         // of the reader
  int64_t longest = 0;             // target length, at least 2
  double short_probability = 0.1;  // that a target is 2 … longest instead
  std::optional<int64_t> samples;  // at least so many; none: one epoch
  uint32_t seed = 1234;            // 1 … 2^31 - 1
  int64_t fewest_sentences = 1;    // that a row and so a document needs
};

// A document with a longer sentence, in tokens, is left out, unless it has no other.
inline constexpr int64_t kLongestSentence = 512;

// The type of a file's numbers, which the number of sentences in the dataset decides: uint32, or uint64 where that is
// too narrow.
IndexArray::Type sentence_index_type(int64_t sentences);

template <typename T>
struct SentenceRow {
  T begin, end, target;
};

// T is uint32_t or uint64_t. Throws UserError, starting with `what`, when no document is of
// use. Memory: the rows, an eighth more as a rule, and a byte a sentence; while an order that is far longer than its
// mean target lets expect moves to a larger place, twice that.
template <typename T>
std::vector<SentenceRow<T>> build_sentence_index(const IndexedDatasetReader& reader, const SentenceOrder& order,
                                                 const std::string& what);

}  // namespace longhaul
