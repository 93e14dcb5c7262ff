// The train, validation and test datasets of a run, with as many samples as Megatron would request: the sizes
// decide how the data is ordered, so the same run reads the same samples in both.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "longhaul/data/data_config.h"
#include "longhaul/data/dataset.h"
#include "longhaul/data/split.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul {

// Samples wanted of train, valid and test. 0: the dataset is not built. none: one epoch, whatever it holds.
using RequestedSamples = std::array<std::optional<int64_t>, 3>;

// What the data layer knows of model and tokenizer.
struct TokenizerFacts {
  int64_t vocab_size = 0;               // ids in the model's embedding
  std::string tokenizer_json = "null";  // Megatron's description of the tokenizer, part of the cache files' names
  std::shared_ptr<const Tokenizer> tokenizer;  // that made the ids; data.fim needs it
  std::optional<int32_t> eod_id;               // the token that ends documents; none: the tokenizer's eos
};

struct Datasets {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> valid;  // null when none was requested, or there is no share or file for it
  std::shared_ptr<const Dataset> test;
};

// Throws UserError when files are missing or damaged, when the options contradict one another, or when a
// requested split has no tokens.
Datasets build_datasets(const DataConfig& config, const RequestedSamples& requested, const TokenizerFacts& tokenizer);

}  // namespace longhaul
