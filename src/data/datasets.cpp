#include "longhaul/data/datasets.h"

#include <limits>

#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/mock_dataset.h"

namespace longhaul {
namespace {

constexpr std::array kSplits{Split::train, Split::valid, Split::test};

uint32_t order_seed(const DataConfig& config) {
  if (config.seed < 0 || config.seed > std::numeric_limits<uint32_t>::max()) {
    throw UserError("data.seed is {}; it must be 0 … 4294967295", config.seed);
  }
  return static_cast<uint32_t>(config.seed);
}

void check(const DataConfig& config) {
  if (config.sequence_length < 1) {
    throw UserError("data.sequence_length is {}; it must be at least 1", config.sequence_length);
  }
  const bool files = !config.train.empty() || !config.valid.empty() || !config.test.empty();
  if (config.mock && files) {
    throw UserError("data.mock and data.train, data.valid or data.test exclude each other: drop one of them");
  }
  if (!config.mock && config.train.empty()) {
    throw UserError(
        "no training data: set data.train to the prefix of a .bin/.idx pair, which `llm-pretrain prepare` "
        "makes from text, or data.mock=true for synthetic data");
  }
  const bool per_split = !config.valid.empty() || !config.test.empty();
  if (per_split && config.split != DataConfig().split) {
    throw UserError(
        "data.split = \"{}\" cuts data.train into train, valid and test, but data.valid or data.test is "
        "given too, and then every file is used whole: drop one of them",
        config.split);
  }
}

std::shared_ptr<const Dataset> build_mock(const DataConfig& config, Split split,
                                          std::optional<int64_t> samples, const TokenizerFacts& tokenizer) {
  constexpr int64_t kOneEpoch = 1000;
  MockDatasetOptions options;
  options.samples = samples.value_or(kOneEpoch);
  options.sequence_length = config.sequence_length;
  options.vocab_size = tokenizer.vocab_size;
  options.seed = order_seed(config) + (static_cast<uint64_t>(split) << 32);  // the splits share no sample
  return std::make_shared<const MockDataset>(options);
}

std::shared_ptr<const Dataset> build_gpt(const DataConfig& config, Split split,
                                         std::optional<int64_t> samples, const TokenizerFacts& tokenizer,
                                         std::shared_ptr<const IndexedDatasetReader> reader, bool whole) {
  GptDatasetOptions options;
  options.split = split;
  if (!whole) options.split_string = config.split;
  options.sequence_length = config.sequence_length;
  options.samples = samples;
  options.seed = order_seed(config);
  options.cache_dir = config.cache_dir;
  options.tokenizer_json = tokenizer.tokenizer_json;
  return std::make_shared<const GptDataset>(std::move(reader), options);
}

}  // namespace

Datasets build_datasets(const DataConfig& config, const RequestedSamples& requested,
                        const TokenizerFacts& tokenizer) {
  check(config);
  std::array<std::shared_ptr<const Dataset>, 3> built;
  const auto wanted = [&](Split split) {
    return requested[static_cast<size_t>(split)] != std::optional<int64_t>(0);
  };
  const auto samples = [&](Split split) { return requested[static_cast<size_t>(split)]; };

  if (config.mock) {
    for (const Split split : kSplits) {
      if (wanted(split))
        built[static_cast<size_t>(split)] = build_mock(config, split, samples(split), tokenizer);
    }
  } else if (config.valid.empty() && config.test.empty()) {
    const SplitMatrix matrix = parse_split(config.split);
    if (wanted(Split::train) && !matrix[0]) {
      throw UserError("data.split = \"{}\" leaves nothing to train on: its first share is 0", config.split);
    }
    const auto reader = std::make_shared<const IndexedDatasetReader>(config.train);
    for (const Split split : kSplits) {
      if (!wanted(split) || !matrix[static_cast<size_t>(split)]) continue;
      built[static_cast<size_t>(split)] = build_gpt(config, split, samples(split), tokenizer, reader, false);
    }
  } else {
    for (const Split split : kSplits) {
      const std::string& prefix = split == Split::train   ? config.train
                                  : split == Split::valid ? config.valid
                                                          : config.test;
      if (!wanted(split) || prefix.empty()) continue;
      const auto reader = std::make_shared<const IndexedDatasetReader>(prefix);
      built[static_cast<size_t>(split)] = build_gpt(config, split, samples(split), tokenizer, reader, true);
    }
  }
  return {built[0], built[1], built[2]};
}

}  // namespace longhaul
