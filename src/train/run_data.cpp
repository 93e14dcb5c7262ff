#include "train/run_data.h"

#include <algorithm>
#include <string>

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

// Checks the files against the model, and finds the token that ends their documents.
MaskOptions check_files(const Recipe& recipe, const HfSideCar& side_car) {
  std::optional<int64_t> eod_id;
  std::string why_none = "data.mock has no documents";
  for (const std::string& prefix : {recipe.data.train, recipe.data.valid, recipe.data.test}) {
    if (prefix.empty()) continue;
    const auto info = read_prepared_info(prefix);
    if (!info) {
      why_none = fmt::format("{}, which would name it, is missing", prepared_info_path(prefix));
      log::warning("{} is missing, so the ids of {} are not checked against the model's tokenizer",
                   prepared_info_path(prefix), prefix);
      continue;
    }
    check_tokenizer(recipe, side_car, prefix, *info);
    if (!info->eod_id) {
      why_none = fmt::format("the tokenizer of {} has none", prefix);
    } else if (eod_id && *eod_id != *info->eod_id) {
      throw UserError("documents end with token {} in {}, but with {} elsewhere: prepare all data with one tokenizer",
                      *info->eod_id, prefix, *eod_id);
    } else {
      eod_id = *info->eod_id;
    }
  }
  return mask_options(recipe.data, eod_id, why_none);
}

}  // namespace

RunData open_run_data(const Recipe& recipe, const HfSideCar& side_car, const RunProgress& progress) {
  const MaskOptions masks = check_files(recipe, side_car);
  const int64_t steps = std::max<int64_t>(recipe.trainer.max_steps - progress.step, 0);
  const std::optional<int64_t> none = 0, one_epoch;
  const RequestedSamples requested{progress.consumed_samples + steps * recipe.batch.global,
                                   recipe.trainer.eval_every > 0 ? one_epoch : none,
                                   recipe.data.test.empty() ? none : one_epoch};
  const Datasets datasets = build_datasets(recipe.data, requested, {.vocab_size = recipe.model.vocab_size});
  LONGHAUL_CHECK(datasets.valid || recipe.trainer.eval_every == 0, "no validation data");
  return {datasets.train, datasets.valid, datasets.test, masks};
}

}  // namespace longhaul
