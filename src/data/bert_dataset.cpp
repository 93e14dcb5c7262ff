#include "longhaul/data/bert_dataset.h"

#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

SentenceSamples::Kind kind_of(const BertDatasetOptions& options) {
  return {"BERTMaskedWordPieceDataset",
          /*special_tokens=*/3,
          options.sentence_pairs ? 2 : 1,
          {{"classification_head", options.sentence_pairs ? "true" : "false"}}};
}

MaskVocabulary checked(MaskVocabulary vocabulary) {
  if (!vocabulary.cls || !vocabulary.sep || !vocabulary.mask) {
    throw UserError(
        "BERT's samples need the tokens [CLS], [SEP] and [MASK], but the tokenizer lacks one: use that of a BERT");
  }
  return vocabulary;
}

// What is hidden shows the mask, in one case of ten a random token, in one itself.
int64_t shown(int64_t token, const MaskVocabulary& vocabulary, RandomState& random) {
  if (random.next_double() < 0.8) return *vocabulary.mask;
  if (random.next_double() < 0.5) return token;
  return vocabulary.ids[static_cast<size_t>(random.randint(0, std::ssize(vocabulary.ids)))];
}

}  // namespace

BertDataset::BertDataset(std::shared_ptr<const IndexedDatasetReader> reader, MaskVocabulary vocabulary,
                         const BertDatasetOptions& options)
    : vocabulary_(checked(std::move(vocabulary))),
      masking_(options.masking),
      pairs_(options.sentence_pairs),
      sequence_length_(options.sequence_length),
      samples_(std::move(reader), options, kind_of(options)) {}

void BertDataset::get(int64_t index, BertSample& sample) const {
  const SentenceSamples::Row row = samples_.row(index);
  RandomState random = samples_.random(index);
  int64_t middle = row.end;  // where B begins
  sample.swapped = false;
  if (pairs_) {
    const int64_t sentences = row.end - row.begin;
    middle = row.begin + (sentences >= 3 ? random.randint(1, sentences) : 1);
    sample.swapped = random.next_double() < 0.5;
  }
  std::vector<int64_t> a = samples_.tokens(row.begin, middle), b = samples_.tokens(middle, row.end);
  if (sample.swapped) std::swap(a, b);

  // Token by token from either end of the longer one.
  std::span<const int64_t> left(a), right(b);
  sample.truncated = std::ssize(left) + std::ssize(right) > row.target;
  while (std::ssize(left) + std::ssize(right) > row.target) {
    auto& longer = left.size() > right.size() ? left : right;
    longer = random.next_double() < 0.5 ? longer.subspan(1) : longer.first(longer.size() - 1);
  }
  std::vector<int64_t>& tokens = sample.tokens;
  tokens.assign(1, *vocabulary_.cls);
  tokens.insert(tokens.end(), left.begin(), left.end());
  tokens.push_back(*vocabulary_.sep);
  sample.types.assign(tokens.size(), 0);
  if (!right.empty()) {
    tokens.insert(tokens.end(), right.begin(), right.end());
    tokens.push_back(*vocabulary_.sep);
    sample.types.resize(tokens.size(), 1);
  }

  const auto length = static_cast<size_t>(sequence_length_);
  LONGHAUL_CHECK(tokens.size() <= length, "a sample of {} tokens in a sequence of {}", tokens.size(), length);
  sample.length = std::ssize(tokens);
  sample.labels.assign(length, -1);
  const std::vector<int64_t> whole = tokens;
  masking_.choose(whole, row.target, vocabulary_, random, [&](size_t position) {
    sample.labels[position] = whole[position];
    tokens[position] = shown(whole[position], vocabulary_, random);
  });
  tokens.resize(length, vocabulary_.pad);
  sample.types.resize(length, 0);
}

}  // namespace longhaul
