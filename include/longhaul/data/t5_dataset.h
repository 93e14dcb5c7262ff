// Samples for T5 (Raffel et al. 2020) from sentence-level data, token for token those of Megatron's
// T5MaskedWordPieceDataset: runs of tokens are taken out of a text, each replaced by a sentinel, and the decoder is to
// write them.
//
//   encoder   Thank you <extra_id_0> me to your party <extra_id_1> week.
//   decoder   BOS <extra_id_0> for inviting <extra_id_1> last
//   labels    <extra_id_0> for inviting <extra_id_1> last EOS
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longhaul/data/sentence_samples.h"

namespace longhaul {

struct T5DatasetOptions : SentenceDatasetOptions {
  T5DatasetOptions() { masking.max_ngram = 10, masking.geometric = true; }
  int64_t decoder_length = 128;
};

struct T5Sample {
  std::vector<int64_t> encoder;  // [sequence_length], padded with the pad id
  std::vector<int64_t> decoder;  // [decoder_length], padded with the pad id
  std::vector<int64_t> labels;   // [decoder_length], padded with -1
  int64_t encoder_length = 0;    // tokens before the padding
  int64_t decoder_length = 0;    // of decoder and labels alike
  bool truncated = false;        // the sentences were longer than the sample
};

class T5Dataset {
 public:
  // Throws UserError as SentenceSamples does, and for a vocabulary without bos, eos or sentinels.
  T5Dataset(std::shared_ptr<const IndexedDatasetReader> reader, MaskVocabulary vocabulary,
            const T5DatasetOptions& options);

  int64_t size() const { return samples_.size(); }
  // Fills `sample` with the sample `index`, 0 ≤ index < size(). Throws UserError where there are too few sentinels, or
  // the decoder's part is too long. Thread-safe.
  void get(int64_t index, T5Sample& sample) const;
  // The sentences and the order.
  const SentenceSamples& samples() const { return samples_; }

 private:
  MaskVocabulary vocabulary_;
  Masking masking_;
  int64_t sequence_length_, decoder_length_;
  SentenceSamples samples_;
};

}  // namespace longhaul
