// Which tokens of a sample are hidden from a masked language model, as Megatron's BERT and T5 datasets choose them:
// runs of one to a few words, at random places, until the wanted share is reached.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "longhaul/data/numpy_random.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul {

// What masking needs to know of a tokenizer.
struct MaskVocabulary {
  std::optional<int64_t> cls, sep, mask;  // BERT's
  std::optional<int64_t> bos, eos;        // T5's, of the decoder
  int64_t pad = 0;
  std::vector<int64_t> sentinels;  // T5's, in their order: each stands for a hidden run
  std::vector<int64_t> ids;        // all that stand for a token, ascending
  std::vector<bool> continues;     // [by id] whether the token goes on with the word before it, as "##ing" does

  // Whether the id has a token that goes on with a word. An id beyond the vocabulary hasn't.
  bool continues_word(int64_t id) const {
    return id >= 0 && id < std::ssize(continues) && continues[static_cast<size_t>(id)];
  }
};

// By the usual names: [CLS], [SEP], [MASK], <extra_id_0> …. The bos and eos of a tokenizer that has none are its cls
// and sep; a T5 tokenizer without either begins with its pad, as T5 models do.
MaskVocabulary mask_vocabulary(const Tokenizer& tokenizer);

struct MaskingOptions {
  double probability = 0.15;   // share of the tokens that is hidden
  int64_t max_ngram = 3;       // words in a run, at most
  bool whole_words = true;     // false: a word of several tokens may be hidden in part
  bool longer_ngrams = false;  // n words with a probability that grows with n; else it is in proportion to 1/n
  bool geometric = false;      // n from a geometric distribution with the parameter 0.2 instead, as SpanBERT
};

class Masking {
 public:
  // Throws UserError for options out of range.
  explicit Masking(const MaskingOptions& options);

  // Positions of tokens, ascending.
  using Run = std::vector<size_t>;

  // Chooses runs of `tokens`, by their place. Calls hide(position) for each token in the order in which they are
  // chosen; it may draw from `random`. `target`: the length that the sample was meant to have.
  std::vector<Run> choose(std::span<const int64_t> tokens, int64_t target, const MaskVocabulary& vocabulary,
                          RandomState& random, const std::function<void(size_t)>& hide) const;

 private:
  MaskingOptions options_;
  std::vector<double> weights_;  // of runs of 1, 2, … words
};

}  // namespace longhaul
