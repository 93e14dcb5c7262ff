#include "longhaul/data/datasets.h"

#include <limits>

#include "data/build_blend.h"
#include "longhaul/core/error.h"
#include "longhaul/data/blend.h"
#include "longhaul/data/fim_dataset.h"
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
  const bool files = !config.train.empty() || !config.valid.empty() || !config.test.empty() || !config.replay.empty();
  if (config.mock && files) {
    throw UserError(
        "data.mock and data.train, data.valid, data.test or data.replay exclude each other: drop one of them");
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

std::shared_ptr<const Dataset> build_mock(const DataConfig& config, Split split, std::optional<int64_t> samples,
                                          const TokenizerFacts& tokenizer) {
  constexpr int64_t kOneEpoch = 1000;
  MockDatasetOptions options;
  options.samples = samples.value_or(kOneEpoch);
  options.sequence_length = config.sequence_length;
  options.vocab_size = tokenizer.vocab_size;
  options.seed = order_seed(config) + (static_cast<uint64_t>(split) << 32);  // the splits share no sample
  return std::make_shared<const MockDataset>(options);
}

GptDatasetOptions corpus_options(const DataConfig& config, Split split, std::optional<int64_t> samples,
                                 const TokenizerFacts& tokenizer, bool cut) {
  GptDatasetOptions options;
  options.split = split;
  if (cut) options.split_string = config.split;
  options.sequence_length = config.sequence_length;
  options.samples = samples;
  options.seed = order_seed(config);
  options.stable_order = config.stable_order;
  options.cache_dir = config.cache_dir;
  options.tokenizer_json = tokenizer.tokenizer_json;
  return options;
}

std::shared_ptr<const Dataset> fill_in_the_middle(const DataConfig& config, std::shared_ptr<const Dataset> samples,
                                                  const TokenizerFacts& facts) {
  const auto refuse = [&](std::string_view what, std::string_view remedy) {
    return UserError("data.fim.rate is {}, but {}: {}, or set data.fim.rate=0", config.fim.rate, what, remedy);
  };
  if (config.mock) throw refuse("data.mock has no text to rearrange", "set data.train to prepared text");
  if (!facts.tokenizer) {
    throw refuse("there is no tokenizer to cut text with",
                 "set data.tokenizer to the folder of the tokenizer that the data was prepared with");
  }
  const std::optional<int64_t> eod_id = facts.eod_id ? facts.eod_id : facts.tokenizer->eos_id();
  if (!eod_id) {
    throw refuse("no token is known to end documents, since the tokenizer has no eos",
                 "prepare the text with one that has, and --append-eod");
  }
  if (facts.tokenizer->vocab_size() > facts.vocab_size) {
    throw refuse(
        fmt::format(
            "text that is encoded anew may get any of the tokenizer's {} ids, and the model's vocabulary has {}",
            facts.tokenizer->vocab_size(), facts.vocab_size),
        "give the model the whole vocabulary");
  }
  return std::make_shared<const FimDataset>(std::move(samples), facts.tokenizer, config.fim,
                                            static_cast<int32_t>(*eod_id), order_seed(config));
}

}  // namespace

Datasets build_datasets(const DataConfig& config, const RequestedSamples& requested, const TokenizerFacts& tokenizer) {
  check(config);
  std::array<std::shared_ptr<const Dataset>, 3> built;
  const Blends blends = parse_blends(config);
  const std::array<const Blend*, 3> parts{&blends.train, &blends.valid, &blends.test};
  const SplitMatrix shares = parse_split(config.split);
  CorpusReaders readers;
  // The small ones first: what is wrong with a split is found before hours go into the order of the training data.
  for (const Split split : {Split::valid, Split::test, Split::train}) {
    const auto i = static_cast<size_t>(split);
    const std::optional<int64_t> samples = requested[i];
    if (samples == std::optional<int64_t>(0)) continue;
    if (config.mock) {
      built[i] = build_mock(config, split, samples, tokenizer);
      continue;
    }
    if (blends.cut && !shares[i]) {
      if (split != Split::train) continue;
      throw UserError("data.split = \"{}\" leaves nothing to train on: its first share is 0", config.split);
    }
    if (parts[i]->prefixes.empty()) continue;
    built[i] = build_blend(*parts[i], corpus_options(config, split, samples, tokenizer, blends.cut), readers);
  }
  if (config.fim.rate > 0) {
    for (const Split split : kSplits) {
      auto& samples = built[static_cast<size_t>(split)];
      if (samples && (split == Split::train || config.fim.evaluation))
        samples = fill_in_the_middle(config, samples, tokenizer);
    }
  }
  return {built[0], built[1], built[2]};
}

}  // namespace longhaul
