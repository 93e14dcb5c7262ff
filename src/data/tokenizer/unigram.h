// Unigram: every token has a score, the logarithm of its probability, and a piece is cut into the tokens whose
// scores add up to the most. (Kudo, "Subword regularization", 2018; the model of T5, XLM-R, mT5, ALBERT.)
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/tokenizer/model.h"

namespace longhaul::tokenizer {

struct UnigramConfig {
  Vocabulary vocabulary;
  std::vector<double> scores;         // of the ids
  std::optional<int32_t> unknown_id;  // for characters without a token, runs of which are one token
  bool byte_fallback = false;         // such runs become their bytes, where all of those are tokens
};

std::unique_ptr<Model> make_unigram(UnigramConfig config);

}  // namespace longhaul::tokenizer
