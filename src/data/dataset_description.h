// The text that identifies a dataset and its order: JSON as Python's `json.dumps(…, indent=4)` prints it, so that its
// MD5 names the same cache files as Megatron's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "longhaul/data/split.h"

namespace longhaul {

struct DatasetDescription {
  std::string dataset_class;         // Megatron's name for it
  std::string dataset_path;          // as the user gave it
  std::optional<int64_t> samples;    // wanted; none: one epoch
  Split index_split = Split::train;  // which split this order is for
  uint32_t seed = 1234;
  int64_t sequence_length = 0;
  std::optional<std::string> split;                       // the raw split string; none: the file is used whole
  std::string tokenizer = "null";                         // JSON: Megatron's description of the tokenizer
  std::vector<std::pair<std::string, std::string>> more;  // further entries of the class: key, JSON text
};

// Throws UserError when `tokenizer` is not JSON.
std::string describe(const DatasetDescription& description);

// What messages call it: "the valid split (data.split = "969,30,1") of PREFIX".
std::string dataset_name(const std::string& prefix, Split split, const std::optional<std::string>& split_string);

}  // namespace longhaul
