// The text that identifies a GPT dataset's order: JSON as Python's `json.dumps(…, indent=4)` prints it, so
// that its MD5 names the same cache files as Megatron's.
#pragma once

#include <optional>
#include <string>

#include "data/gpt_index.h"
#include "longhaul/data/split.h"

namespace longhaul {

struct GptDescription {
  std::string dataset_path;          // as the user gave it
  Split index_split = Split::train;  // which split this order is for
  std::optional<std::string> split;  // the raw split string; none: the file is used whole
  std::string tokenizer = "null";    // JSON: Megatron's description of the tokenizer
};

// Throws UserError when `tokenizer` is not JSON.
std::string describe(const GptDescription& description, const GptOrder& order);

}  // namespace longhaul
