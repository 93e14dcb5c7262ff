#include "train/run_data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/core/table.h"
#include "longhaul/data/blend.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/prepared_info.h"
#include "longhaul/recipes/batch_schedule.h"
#include "longhaul/train/tokenizer_check.h"

namespace longhaul {
namespace {

// Options about documents go by the token that ends them.
void tell_unmarked_documents(const DataConfig& data, const std::vector<std::string>& corpora) {
  std::vector<std::string> options;
  if (data.reset_attention_mask) options.emplace_back("data.reset_attention_mask");
  if (data.reset_position_ids) options.emplace_back("data.reset_position_ids");
  if (data.eod_mask_loss) options.emplace_back("data.eod_mask_loss");
  if (options.empty() || corpora.empty()) return;
  log::warning(
      "prepared without --append-eod: {}. Where no token marks the end of a document, there is no effect of {}",
      fmt::join(corpora, ", "), fmt::join(options, ", "));
}

// Checks the files against the model, and finds the token that ends their documents.
MaskOptions check_files(const Recipe& recipe, const HfSideCar& side_car) {
  const TokenizerOwner owner{.vocab_size = recipe.model.vocab_size,
                             .side_car = side_car,
                             .folder = recipe.model.from.empty() ? recipe.data.tokenizer : recipe.model.from,
                             .check_tokenizer = recipe.data.check_tokenizer,
                             .way_out = "set data.check_tokenizer=false"};
  std::optional<int64_t> eod_id;
  std::string why_none = "data.mock has no documents";
  std::map<std::string, std::string> corpus_of;  // by fingerprint of its tokenizer
  std::vector<std::string> unmarked;
  for (const std::string& prefix : corpora(recipe.data)) {
    const auto info = read_prepared_info(prefix);
    if (!info && !std::filesystem::exists(dataset_prefix(prefix) + ".idx")) continue;  // opening it says so
    if (!info) {
      why_none = fmt::format("{}, which would name it, is missing", prepared_info_path(prefix));
      log::warning("{} is missing, so the ids of {} are not checked against the model's tokenizer",
                   prepared_info_path(prefix), prefix);
      continue;
    }
    check_tokenizer(owner, prefix, *info);
    if (!info->append_eod) unmarked.push_back(prefix);
    corpus_of.emplace(info->tokenizer_fingerprint, prefix);
    if (corpus_of.size() > 1 && recipe.data.check_tokenizer) {
      throw UserError(
          "{} and {} were prepared with different tokenizers: prepare all data with one, or {} if the two give "
          "the same ids",
          corpus_of.begin()->second, corpus_of.rbegin()->second, owner.way_out);
    }
    if (!info->eod_id) {
      why_none = fmt::format("the tokenizer of {} has none", prefix);
    } else if (eod_id && *eod_id != *info->eod_id) {
      throw UserError("documents end with token {} in {}, but with {} elsewhere: prepare all data with one tokenizer",
                      *info->eod_id, prefix, *eod_id);
    } else {
      eod_id = *info->eod_id;
    }
  }
  tell_unmarked_documents(recipe.data, unmarked);
  return mask_options(recipe.data, eod_id, why_none);
}

// How often a run goes through a single corpus: more is easily asked for than does good.
void tell_epochs(int64_t wanted, int64_t tokens) {
  const double epochs = static_cast<double>(wanted) / static_cast<double>(tokens);
  const std::string text = fmt::format("training reads {} tokens, {:.{}f} epochs of data.train's {}",
                                       group_digits(wanted), epochs, epochs < 10 ? 1 : 0, group_digits(tokens));
  if (epochs > 4.5) {
    log::warning("{}: more than about four bring little, and cost a continued model what it knew", text);
  } else {
    log::info("{}", text);
  }
}

}  // namespace

RunData open_run_data(const ModelSource& source, const RunProgress& progress) {
  const Recipe& recipe = source.recipe();
  const MaskOptions masks = check_files(recipe, source.side_car());
  const int64_t steps = std::max<int64_t>(recipe.trainer.max_steps - progress.step, 0);
  const std::optional<int64_t> none = 0, one_epoch;
  // What an evaluation reads; a blend with weights has no epoch.
  const Blends blends = parse_blends(recipe.data);
  const auto evaluated = [&](const Blend& blend) {
    return blend.weights ? recipe.trainer.eval_steps * recipe.batch.global : one_epoch;
  };
  const BatchSchedule schedule(recipe.batch, recipe.data.sequence_length);
  const RequestedSamples requested{
      progress.consumed_samples + schedule.samples_of_steps(progress.consumed_samples, steps),
      recipe.trainer.eval_every > 0 ? evaluated(blends.valid) : none,
      recipe.data.test.empty() ? none : evaluated(blends.test)};
  TokenizerFacts facts;
  facts.vocab_size = recipe.model.vocab_size;
  if (recipe.data.fim.rate > 0) facts.tokenizer = source.tokenizer();
  facts.eod_id = masks.eod_id;
  const Datasets datasets = build_datasets(recipe.data, requested, facts);
  if (recipe.data.sampler == SamplerKind::sequential && datasets.train->size() < *requested[0]) {
    throw UserError(
        "data.train names corpora without weights, which are read once, and holds {} samples, but the run needs {}: "
        "give the corpora weights, with which they are repeated, set data.sampler=cyclic, which repeats all of them, or set "
        "trainer.max_steps to {} or less",
        datasets.train->size(), *requested[0], schedule.steps_of_samples(datasets.train->size()));
  }
  LONGHAUL_CHECK(datasets.valid || recipe.trainer.eval_every == 0, "no validation data");
  if (const auto* corpus = dynamic_cast<const GptDataset*>(datasets.train.get())) {
    tell_epochs(*requested[0] * recipe.data.sequence_length, corpus->tokens_per_epoch());
  }
  return {datasets.train, datasets.valid, datasets.test, masks};
}

SamplerOptions sampler_options(const Recipe& recipe, int64_t data_ranks) {
  return {recipe.data.sampler, recipe.data.sampler_sharding, recipe.batch.micro, data_ranks};
}

}  // namespace longhaul
