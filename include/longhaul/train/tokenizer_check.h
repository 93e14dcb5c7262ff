#pragma once

#include <cstdint>
#include <string>

#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {

// The model that prepared data are for.
struct TokenizerOwner {
  int64_t vocab_size = 0;
  const HfSideCar& side_car;    // its tokenizer.json, if it brings one
  std::string folder;           // where the tokenizer is, for messages; empty: not known
  bool check_tokenizer = true;  // false: ids alone are checked
  std::string way_out;          // how a user switches the check of the tokenizer off
};

// Ids from another tokenizer train and evaluate without a word of complaint, on nonsense. Throws UserError when the
// data under `prefix` hold ids beyond the vocabulary, or were prepared with another tokenizer than the model's.
void check_tokenizer(const TokenizerOwner& owner, const std::string& prefix, const PreparedInfo& info);

}  // namespace longhaul
