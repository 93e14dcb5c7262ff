// The pieces that Unigram training starts with: every character, and the substrings of words that occur in more
// than one way.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/train/word_counts.h"

namespace longhaul::tokenizer {

// Pieces and their scores (how often they occur; of substrings times their length), the characters first, both
// from the highest score down; at most `most` of them. A substring has at most `longest` characters, and is
// followed by more than one character or end of word: one that always goes on the same way is no better than
// what it goes on to.
std::vector<std::pair<std::string, double>> unigram_seeds(const WordCounts& words, size_t longest, size_t most);

}  // namespace longhaul::tokenizer
