// llm-pretrain eval: the loss of a model on prepared data.
#include <fmt/core.h>

#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "data/build_blend.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/comm/rendezvous.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/prepared_info.h"
#include "longhaul/train/evaluator.h"
#include "longhaul/train/model_folder.h"
#include "longhaul/train/tokenizer_check.h"
#include "train/run_checkpoints.h"

namespace longhaul::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string data, split = "all", shares;
  int64_t sequence_length = 0, micro_batch = 4, samples = 0, seed = 1234;
  bool json = false, any_tokenizer = false;
};

// A prefix, or a blend as `data.train` takes it.
Blend blend_of(const Options& options) {
  const Blend blend = parse_blend(options.data, "--data");
  if (blend.prefixes.empty()) throw UserError("--data names no prefix");
  if (blend.weights && blend.prefixes.size() > 1 && options.samples == 0) {
    throw UserError(
        "--data is a blend with weights, which has no end of its own: say how many sequences to read, with --samples N");
  }
  return blend;
}

// How --split cuts the data: as --shares says, else as the run did whose model this is, else as training does by
// itself. Empty: --split takes all of it.
std::string shares_of(const Options& options, const ModelFolder& folder) {
  if (options.split == "all") {
    if (!options.shares.empty())
      throw UserError("--shares {} cuts nothing with --split all: add --split valid", options.shares);
    return "";
  }
  if (!options.shares.empty()) return options.shares;
  if (!folder.is_checkpoint()) return DataConfig().split;
  const Recipe recipe = recipe_of(folder.checkpoint());
  if (!recipe.data.valid.empty() || !recipe.data.test.empty()) {
    throw UserError(
        "the run of {} read data.train whole, and cut nothing off, since data.valid or data.test named other data: take "
        "--split all with the data that you held out, or say how to cut with --shares",
        options.model.folder);
  }
  return recipe.data.split;
}

std::shared_ptr<const Dataset> open_data(const Options& options, const std::string& shares, const Blend& blend,
                                         int64_t sequence_length) {
  GptDatasetOptions data;
  data.sequence_length = sequence_length;
  data.seed = static_cast<uint32_t>(options.seed);
  data.drop_last = false;
  // Megatron's names of cached orders don't tell whether the last, partial sample is kept: training's files are others.
  data.cache_dir = (std::filesystem::path(dataset_prefix(blend.prefixes[0])) / "cache" / "with_last_sample").string();
  if (blend.weights && blend.prefixes.size() > 1) data.samples = options.samples;
  if (options.split != "all") {
    data.split = options.split == "train" ? Split::train : options.split == "valid" ? Split::valid : Split::test;
    data.split_string = shares;
  } else {
    data.split = Split::valid;  // a dataset that is used whole
  }
  CorpusReaders readers;
  const Blend alone{blend.prefixes, std::nullopt};  // the weight of a single corpus says nothing
  return build_blend(blend.prefixes.size() == 1 ? alone : blend, data, readers);
}

void check_data(const Options& options, const std::string& prefix, const ModelFolder& folder) {
  const auto info = read_prepared_info(prefix);
  if (!info) {
    log::warning("{} has no {}, so the ids are not checked against the model's tokenizer", prefix,
                 prepared_info_path(prefix));
    return;
  }
  check_tokenizer({.vocab_size = folder.config().vocab_size,
                   .side_car = folder.side_car(),
                   .folder = options.model.folder,
                   .check_tokenizer = !options.any_tokenizer,
                   .way_out = "add --any-tokenizer"},
                  prefix, *info);
}

void eval(const Options& options) {
  comm::require_one_process("eval");
  const ModelFolder folder(options.model.folder);
  const int64_t positions = folder.config().max_positions;
  if (options.sequence_length > positions) {
    throw UserError("--sequence-length {} is longer than the model's {} positions: shorten it", options.sequence_length,
                    positions);
  }
  const Blend blend = blend_of(options);
  const std::string shares = shares_of(options, folder);
  for (const std::string& prefix : blend.prefixes) check_data(options, prefix, folder);
  const auto model = load_model(folder, options.model);
  const int64_t length = options.sequence_length > 0 ? options.sequence_length : std::min<int64_t>(1024, positions);
  const auto dataset = open_data(options, shares, blend, length);
  const int64_t samples = options.samples > 0 ? std::min(options.samples, dataset->size()) : dataset->size();
  ProgressBar bar("evaluating", static_cast<double>(samples), "sequences");
  const Evaluation result = evaluate(
      *model, dataset, {.sequence_length = length, .micro_batch = options.micro_batch, .samples = samples, .masks = {}},
      [&](int64_t done, int64_t) { bar.update(static_cast<double>(done)); });
  bar.finish();
  if (options.json) {
    fmt::print("{{\"loss\": {:.8f}, \"perplexity\": {:.6f}, \"tokens\": {}, \"split\": \"{}\", \"shares\": \"{}\"}}\n",
               result.loss, std::exp(result.loss), result.tokens, options.split, shares);
    return;
  }
  TextTable table({"model", "data", "split", "tokens", "loss", "perplexity"});
  for (size_t column = 3; column <= 5; ++column) table.align(column, TextTable::Align::right);
  table.add({options.model.folder, options.data,
             shares.empty() ? options.split : fmt::format("{} of {}", options.split, shares),
             group_digits(result.tokens), fmt::format("{:.4f}", result.loss),
             fmt::format("{:.3f}", std::exp(result.loss))});
  fmt::print("{}", table.str());
}

}  // namespace

void add_eval_command(const Command& app) {
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("eval", "Measure a model's loss on prepared data");
  add_model_options(command, options->model);
  command.option("--data", options->data, "prefix of .bin/.idx files, or a blend of several, as data.train").required();
  command.option("--split", options->split, "which part: train, valid, test (as training cuts it), or all")
      .one_of({"train", "valid", "test", "all"})
      .show_default();
  command.option("--shares", options->shares,
                 fmt::format("shares of train, valid and test, as data.split; left out: those of the run that "
                             "the model comes from, else {}",
                             DataConfig().split));
  command.option("--sequence-length", options->sequence_length, "tokens; 0: 1024 or the model's positions, if fewer")
      .not_negative();
  command.option("--micro-batch", options->micro_batch, "sequences at once").positive().show_default();
  command.option("--samples", options->samples, "sequences to evaluate; 0: all").not_negative();
  command.option("--seed", options->seed, "of the order, as data.seed")
      .between(int64_t{0}, int64_t{0xFFFFFFFF})
      .show_default();
  command.flag("--any-tokenizer", options->any_tokenizer, "take data prepared with another tokenizer than the model's");
  command.flag("--json", options->json, "print one JSON object");
  command.examples(
      "Examples:\n"
      "  llm-pretrain eval --model HF_DIR --data data/corpus_text_document --split valid\n"
      "  llm-pretrain eval --model runs/my_run --data data/other_text_document\n"
      "  llm-pretrain eval --model runs/my_run --data \"0.3 data/a_text_document 0.7 data/b_text_document\" --samples 1000");
  command.run([options] { eval(*options); });
}

}  // namespace longhaul::cli
