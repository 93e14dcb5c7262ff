#include "longhaul/data/mock_dataset.h"

#include "longhaul/core/error.h"

namespace longhaul {

MockDataset::MockDataset(const MockDatasetOptions& options) : options_(options), choices_(options.seed, "mock data") {
  if (options.vocab_size < 2) {
    throw UserError("data.mock needs a vocabulary of at least 2 tokens, but model.vocab_size is {}",
                    options.vocab_size);
  }
  const RandomStream words(0, "mock phrases");
  for (int64_t i = 0; i < kPhrases * kPhraseLength; ++i) {
    phrases_.push_back(words.words(static_cast<uint64_t>(i))[0] % options.vocab_size);
  }
}

void MockDataset::get(int64_t index, Sample& sample) const {
  LONGHAUL_CHECK(index >= 0 && index < size(), "sample {} of {}", index, size());
  const int64_t wanted = options_.sequence_length + 1;
  sample.labels.clear();
  for (uint64_t i = 0; static_cast<int64_t>(sample.labels.size()) < wanted; ++i) {
    const int64_t phrase = choices_.words(i, static_cast<uint64_t>(index))[0] % kPhrases;
    const auto begin = phrases_.begin() + phrase * kPhraseLength;
    sample.labels.insert(sample.labels.end(), begin, begin + kPhraseLength);
  }
  sample.labels.resize(static_cast<size_t>(wanted));
  sample.tokens.assign(sample.labels.begin(), sample.labels.end() - 1);
  sample.labels.erase(sample.labels.begin());
  sample.valid = options_.sequence_length;
}

std::string MockDataset::order_id() const {
  return fmt::format("mock-{}-{}-{}", options_.seed, options_.sequence_length, options_.vocab_size);
}

}  // namespace longhaul
