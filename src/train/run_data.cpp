#include "train/run_data.h"

#include <filesystem>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {
namespace {

// Ids from another tokenizer train without a word of complaint, on nonsense.
void check_tokenizer(const Recipe& recipe, const std::string& prefix, const PreparedInfo& info) {
  if (info.largest_id >= recipe.model.vocab_size) {
    throw UserError("{} holds token id {}, but the model's vocabulary has {} entries: prepare the text with the model's "
                    "own tokenizer (llm-pretrain prepare --tokenizer {})",
                    prefix, info.largest_id, recipe.model.vocab_size,
                    recipe.model.from.empty() ? "HF_DIR" : recipe.model.from);
  }
  const auto tokenizer = std::filesystem::path(recipe.model.from) / "tokenizer.json";
  if (recipe.model.from.empty() || !recipe.data.check_tokenizer || !std::filesystem::exists(tokenizer)) return;
  if (info.tokenizer_fingerprint != hex64(xxh3(read_text(tokenizer)))) {
    throw UserError("{} was prepared with another tokenizer than {}: prepare the text again with --tokenizer {}, or set "
                    "data.check_tokenizer=false if the two give the same ids",
                    prefix, tokenizer.string(), recipe.model.from);
  }
}

}  // namespace

RunData open_run_data(const Recipe& recipe) {
  std::optional<int64_t> eod_id;
  for (const std::string& prefix : {recipe.data.train, recipe.data.valid}) {
    if (prefix.empty() || recipe.data.mock) continue;
    const auto info = read_prepared_info(prefix);
    if (!info) {
      log::warning("{} has no {}.json, so the ids are not checked against the model's tokenizer", prefix, prefix);
      continue;
    }
    check_tokenizer(recipe, prefix, *info);
    if (info->eod_id) eod_id = *info->eod_id;
  }
  const RequestedSamples requested{recipe.trainer.max_steps * recipe.batch.global,
                                   recipe.trainer.eval_every > 0 ? std::nullopt : std::optional<int64_t>(0), 0};
  const Datasets datasets = build_datasets(recipe.data, requested, {.vocab_size = recipe.model.vocab_size});
  return {datasets.train, datasets.valid, mask_options(recipe.data, eod_id)};
}

}  // namespace longhaul
