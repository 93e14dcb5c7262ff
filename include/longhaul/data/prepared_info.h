// PREFIX.json: what `prepare` knows of the dataset PREFIX.bin/.idx and training wants to check, foremost that
// the tokenizer is the model's. Datasets made by Megatron have none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "longhaul/data/partition.h"

namespace longhaul {

struct PreparedInfo {
  std::string tokenizer_fingerprint;
  int64_t vocab_size = 0;
  std::optional<int32_t> eod_id;
  bool append_eod = false;
  bool add_special_tokens = true;
  std::string sentences;  // the fingerprint of what split the texts (SentenceSplitter); empty: nothing did
  int64_t documents = 0;
  int64_t tokens = 0;
  int32_t largest_id = 0;
  // Of a dataset that waits for the others to be merged with: which one it is, and what input all were made from.
  std::optional<Partition> partition;
  std::string corpus;
  // The input and the options of the `prepare` that made it, by names for people; nothing where that can't be told:
  // merged, or from standard input.
  std::map<std::string, std::string> made_of;
};

// Where the information on a dataset is, and the text of that file. `prefix` as dataset_prefix takes it.
std::string prepared_info_path(const std::string& prefix);
std::string prepared_info_text(const PreparedInfo& info);

// Returns nothing when there is no such file. Throws UserError when it is not what prepared_info_text makes.
std::optional<PreparedInfo> read_prepared_info(const std::string& prefix);

}  // namespace longhaul
