// Finds the merges of a byte-level BPE: again and again the pair of tokens that is most frequent inside of
// words becomes a token; of equally frequent pairs the one with the smaller ids. Order and ties are those of the
// `tokenizers` library, so that the same words give the same merges.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/train/word_counts.h"

namespace longhaul::tokenizer {

struct BpeTraining {
  int64_t vocab_size;
  int64_t min_frequency;
  std::vector<std::string> special_tokens;
  bool show_progress;
};

struct TrainedBpe {
  std::vector<std::string> tokens;                          // by id, in the letters of byte_level.h
  std::vector<std::pair<std::string, std::string>> merges;  // the first one first
};

// `words` are bytes.
TrainedBpe train_bpe(const WordCounts& words, const BpeTraining& training);

}  // namespace longhaul::tokenizer
