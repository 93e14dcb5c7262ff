// Samples for BERT (Devlin et al. 2019) from sentence-level data, token for token those of Megatron's
// BERTMaskedWordPieceDataset:
//
//   [CLS] A [SEP] B [SEP]
//
// with some tokens hidden: most behind [MASK], some behind a random token, some left as they are. A and B are runs of
// consecutive sentences of one document, exchanged half of the time: a model can be asked whether they are (sentence
// order prediction, as in ALBERT).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/data/sentence_samples.h"

namespace longhaul {

struct BertDatasetOptions : SentenceDatasetOptions {
  bool sentence_pairs = true;  // false: all sentences are in A, and there is no B
};

struct BertSample {
  std::vector<int64_t> tokens;  // [sequence_length], padded with the pad id
  std::vector<int64_t> types;   // the same shape: 1 for B and its [SEP], else 0
  std::vector<int64_t> labels;  // the same shape: the true token where it is hidden or might be, else -1
  int64_t length = 0;           // tokens before the padding
  bool swapped = false;         // A stands behind B in the text
  bool truncated = false;       // the sentences were longer than the sample
};

class BertDataset {
 public:
  // Throws UserError as SentenceSamples does, and for a vocabulary without cls, sep or mask.
  BertDataset(std::shared_ptr<const IndexedDatasetReader> reader, MaskVocabulary vocabulary,
              const BertDatasetOptions& options);

  int64_t size() const { return samples_.size(); }
  // Fills `sample` with the sample `index`, 0 ≤ index < size(). Thread-safe.
  void get(int64_t index, BertSample& sample) const;
  // The sentences and the order.
  const SentenceSamples& samples() const { return samples_; }

 private:
  MaskVocabulary vocabulary_;
  Masking masking_;
  bool pairs_;
  int64_t sequence_length_;
  SentenceSamples samples_;
};

}  // namespace longhaul
