// Reads the texts that a tokenizer is trained on and counts the words that a pipeline cuts them into.
#pragma once

#include "data/tokenizer/pipeline.h"
#include "data/tokenizer/train/word_counts.h"
#include "longhaul/data/tokenizer/train.h"

namespace longhaul::tokenizer {

// With several threads; adds texts and bytes to `report`.
WordCounts count_words(const TrainTokenizerOptions& options, const Pipeline& pipeline, TrainTokenizerReport& report);

}  // namespace longhaul::tokenizer
