#include "train/run_data.h"

#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {
namespace {

// Ids from another tokenizer train without a word of complaint, on nonsense.
void check_tokenizer(const Recipe& recipe, const HfSideCar& side_car, const std::string& prefix,
                     const PreparedInfo& info) {
  if (info.largest_id >= recipe.model.vocab_size) {
    throw UserError("{} holds token id {}, but the model's vocabulary has {} entries: prepare the text with the model's "
                    "own tokenizer (llm-pretrain prepare --tokenizer {})",
                    prefix, info.largest_id, recipe.model.vocab_size,
                    recipe.model.from.empty() ? "HF_DIR" : recipe.model.from);
  }
  const auto tokenizer = side_car.files.find("tokenizer.json");
  if (!recipe.data.check_tokenizer || tokenizer == side_car.files.end()) return;
  if (info.tokenizer_fingerprint != hex64(xxh3(tokenizer->second))) {
    throw UserError("{} was prepared with another tokenizer than that of {}: prepare the text again with the model's own "
                    "(llm-pretrain prepare --tokenizer), or set data.check_tokenizer=false if the two give the same ids",
                    prefix, recipe.model.from.empty() ? recipe.data.tokenizer : recipe.model.from);
  }
}

}  // namespace

RunData open_run_data(const Recipe& recipe, const HfSideCar& side_car) {
  std::optional<int64_t> eod_id;
  for (const std::string& prefix : {recipe.data.train, recipe.data.valid}) {
    if (prefix.empty() || recipe.data.mock) continue;
    const auto info = read_prepared_info(prefix);
    if (!info) {
      log::warning("{} has no {}.json, so the ids are not checked against the model's tokenizer", prefix, prefix);
      continue;
    }
    check_tokenizer(recipe, side_car, prefix, *info);
    if (info->eod_id) eod_id = *info->eod_id;
  }
  const RequestedSamples requested{recipe.trainer.max_steps * recipe.batch.global,
                                   recipe.trainer.eval_every > 0 ? std::nullopt : std::optional<int64_t>(0), 0};
  const Datasets datasets = build_datasets(recipe.data, requested, {.vocab_size = recipe.model.vocab_size});
  return {datasets.train, datasets.valid, mask_options(recipe.data, eod_id)};
}

}  // namespace longhaul
