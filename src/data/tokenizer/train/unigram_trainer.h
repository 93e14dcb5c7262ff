// Trains a Unigram model by expectation maximization: beginning with far more pieces than wanted, their
// probabilities are fitted to the words, and then those are dropped that the words can do without best. The
// steps, thresholds and starting pieces are those of the `tokenizers` library, and without any dropping the
// scores agree to the last digits. Where pieces are dropped the two rank some of them differently, so that a few of a
// hundred pieces can differ (docs/data-formats.md says what is known of it).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/train/word_counts.h"

namespace longhaul::tokenizer {

struct UnigramTraining {
  int64_t vocab_size;
  std::vector<std::string> special_tokens;  // get the first ids and the score 0
  int64_t threads;
  bool show_progress;
};

// The pieces with their scores, by id.
std::vector<std::pair<std::string, double>> train_unigram(const WordCounts& words, const UnigramTraining& training);

}  // namespace longhaul::tokenizer
