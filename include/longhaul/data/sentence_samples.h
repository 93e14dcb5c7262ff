// What BERT's and T5's datasets share: sentence-level data (documents of several sequences, a sentence each), cut into
// runs of consecutive sentences in exactly the order of Megatron's MaskedWordPieceDataset.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "longhaul/data/masking.h"
#include "longhaul/data/split.h"

namespace longhaul {

class IndexedDatasetReader;
class IndexArray;

struct SentenceDatasetOptions {
  Split split = Split::train;
  std::optional<std::string>
      split_string;  // which part of the documents `split` is, e.g. "969,30,1"; none: all of them
  int64_t sequence_length = 512;
  std::optional<int64_t> samples;  // at least so many, repeating the data as needed; none: one epoch
  uint32_t seed = 1234;            // 1 … 2^31 - 1
  double short_probability = 0.1;  // of a sample that is meant to be shorter than the sequence
  MaskingOptions masking;
  std::string cache_dir;                // where the order is kept between runs; empty: PREFIX/cache/<class>_indices
  std::string tokenizer_json = "null";  // Megatron's description of the tokenizer, part of the cache files' names
};

class SentenceSamples {
 public:
  // What differs between the two.
  struct Kind {
    std::string name;            // Megatron's class, as in the names of cached files
    int64_t special_tokens = 0;  // that a sample has besides its sentences
    int64_t fewest_sentences = 1;
    std::vector<std::pair<std::string, std::string>> described;  // further entries of the description: key, JSON text
  };
  struct Row {
    int64_t begin, end;  // sentences [begin, end) of the file
    int64_t target;      // tokens to keep of them, at most
  };

  // Throws UserError when no document is of use, and for options out of range.
  SentenceSamples(std::shared_ptr<const IndexedDatasetReader> reader, const SentenceDatasetOptions& options,
                  const Kind& kind);
  ~SentenceSamples();
  SentenceSamples(SentenceSamples&&) noexcept;

  int64_t size() const;
  Row row(int64_t index) const;
  // The ids of sentences [begin, end), one after another.
  std::vector<int64_t> tokens(int64_t begin, int64_t end) const;
  // Which document of the file a sentence is of.
  int64_t document_of(int64_t sentence) const;
  // What sample `index` draws from: NumPy's stream with a seed of its own, (seed + index) mod 2^32.
  RandomState random(int64_t index) const;
  // Megatron's JSON text for this dataset and its order; its MD5 names the cached array.
  const std::string& description() const { return description_; }

 private:
  std::shared_ptr<const IndexedDatasetReader> reader_;
  uint32_t seed_;
  std::string description_;
  std::unique_ptr<const IndexArray> rows_;  // [samples, 3]
};

}  // namespace longhaul
