#include "longhaul/data/t5_dataset.h"

#include <algorithm>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

SentenceSamples::Kind kind_of(const T5DatasetOptions& options) {
  return {"T5MaskedWordPieceDataset",
          /*special_tokens=*/2,
          1,
          {{"sequence_length_decoder", fmt::to_string(options.decoder_length)}}};
}

MaskVocabulary checked(MaskVocabulary vocabulary) {
  if (!vocabulary.bos || !vocabulary.eos || vocabulary.sentinels.empty()) {
    throw UserError(
        "T5's samples need a bos and an eos token and the sentinels <extra_id_0>, <extra_id_1> …, but the tokenizer "
        "lacks some: use that of a T5");
  }
  return vocabulary;
}

}  // namespace

T5Dataset::T5Dataset(std::shared_ptr<const IndexedDatasetReader> reader, MaskVocabulary vocabulary,
                     const T5DatasetOptions& options)
    : vocabulary_(checked(std::move(vocabulary))),
      masking_(options.masking),
      sequence_length_(options.sequence_length),
      decoder_length_(options.decoder_length),
      samples_(std::move(reader), options, kind_of(options)) {}

void T5Dataset::get(int64_t index, T5Sample& sample) const {
  const SentenceSamples::Row row = samples_.row(index);
  RandomState random = samples_.random(index);
  std::vector<int64_t> tokens = samples_.tokens(row.begin, row.end);
  sample.truncated = std::ssize(tokens) > row.target;
  tokens.resize(std::min(tokens.size(), static_cast<size_t>(row.target)));

  const std::vector<Masking::Run> runs = masking_.choose(tokens, row.target, vocabulary_, random, [](size_t) {});
  if (runs.size() > vocabulary_.sentinels.size()) {
    throw UserError(
        "sample {} has {} hidden runs, but the tokenizer has {} sentinels: use a shorter sequence or a lower masking "
        "probability",
        index, runs.size(), vocabulary_.sentinels.size());
  }
  sample.encoder.clear();
  sample.labels.clear();
  size_t at = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    sample.encoder.insert(sample.encoder.end(), tokens.begin() + static_cast<std::ptrdiff_t>(at),
                          tokens.begin() + static_cast<std::ptrdiff_t>(runs[i].front()));
    sample.encoder.push_back(vocabulary_.sentinels[i]);
    sample.labels.push_back(vocabulary_.sentinels[i]);
    for (const size_t position : runs[i]) sample.labels.push_back(tokens[position]);
    at = runs[i].back() + 1;
  }
  sample.encoder.insert(sample.encoder.end(), tokens.begin() + static_cast<std::ptrdiff_t>(at), tokens.end());
  sample.decoder.assign(1, *vocabulary_.bos);
  sample.decoder.insert(sample.decoder.end(), sample.labels.begin(), sample.labels.end());
  sample.labels.push_back(*vocabulary_.eos);

  sample.encoder_length = std::ssize(sample.encoder);
  sample.decoder_length = std::ssize(sample.decoder);
  LONGHAUL_CHECK(sample.encoder_length <= sequence_length_, "{} tokens in a sequence of {}", sample.encoder_length,
                 sequence_length_);
  if (sample.decoder_length > decoder_length_) {
    throw UserError(
        "sample {} has {} tokens for the decoder, more than its length of {}: make that longer, or use a lower masking "
        "probability",
        index, sample.decoder_length, decoder_length_);
  }
  sample.encoder.resize(static_cast<size_t>(sequence_length_), vocabulary_.pad);
  sample.decoder.resize(static_cast<size_t>(decoder_length_), vocabulary_.pad);
  sample.labels.resize(static_cast<size_t>(decoder_length_), -1);
}

}  // namespace longhaul
