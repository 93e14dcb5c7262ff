#include "train/run_data.h"

#include "longhaul/core/log.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/prepared_info.h"
#include "longhaul/train/tokenizer_check.h"

namespace longhaul {

RunData open_run_data(const Recipe& recipe, const HfSideCar& side_car) {
  const TokenizerOwner owner{.vocab_size = recipe.model.vocab_size,
                             .side_car = side_car,
                             .folder = recipe.model.from.empty() ? recipe.data.tokenizer : recipe.model.from,
                             .check_tokenizer = recipe.data.check_tokenizer,
                             .way_out = "set data.check_tokenizer=false"};
  std::optional<int64_t> eod_id;
  for (const std::string& prefix : {recipe.data.train, recipe.data.valid}) {
    if (prefix.empty() || recipe.data.mock) continue;
    const auto info = read_prepared_info(prefix);
    if (!info) {
      log::warning("{} has no {}.json, so the ids are not checked against the model's tokenizer", prefix, prefix);
      continue;
    }
    check_tokenizer(owner, prefix, *info);
    if (info->eod_id) eod_id = *info->eod_id;
  }
  const RequestedSamples requested{recipe.trainer.max_steps * recipe.batch.global,
                                   recipe.trainer.eval_every > 0 ? std::nullopt : std::optional<int64_t>(0), 0};
  const Datasets datasets = build_datasets(recipe.data, requested, {.vocab_size = recipe.model.vocab_size});
  return {datasets.train, datasets.valid, mask_options(recipe.data, eod_id)};
}

}  // namespace longhaul
