// Fill-in-the-middle (Bavarian et al. 2022, "Efficient training of language models to fill in the middle"): a document
// is cut at two places of its text, and the parts are put in another order, so that a model that only ever predicts the
// next token learns to write what stands between two given texts. In one of two ways:
//
//   PREFIX prefix SUFFIX suffix MIDDLE middle       prefix first
//   PREFIX SUFFIX suffix MIDDLE prefix middle       suffix first
//
// The capitals are special tokens. The cuts fall between characters, not tokens, and each part is encoded anew.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "longhaul/data/fim_config.h"
#include "longhaul/data/numpy_random.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul {

class FillInTheMiddle {
 public:
  // `eod_id` ends documents. Throws UserError for tokens that the tokenizer lacks.
  FillInTheMiddle(std::shared_ptr<const Tokenizer> tokenizer, const FimConfig& config, int32_t eod_id);

  // The ids with each document rearranged, or not, as `random` has it. There may be more or fewer than before.
  // Draws as Megatron's GPTFIMDataset does, but for empty documents and parts, which draw nothing here. Thread-safe.
  std::vector<int32_t> rearranged(std::span<const int32_t> ids, RandomState& random) const;

 private:
  using Ids = std::vector<int32_t>;
  void add_document(std::span<const int32_t> ids, RandomState& random, Ids& out) const;
  void add_part(std::span<const int32_t> ids, double rate, RandomState& random, Ids& out) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  FimConfig config_;
  int32_t eod_;
  int32_t prefix_, middle_, suffix_;
  std::optional<int32_t> split_;
};

}  // namespace longhaul
