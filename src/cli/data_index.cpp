// llm-pretrain data index: the order of a run's samples, built before the run.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "cli/data_commands.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/load.h"
#include "train/model_source.h"
#include "train/run_data.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string recipe;
  std::vector<std::string> overrides;
};

void build_index(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const ModelSource source(load_recipe(options.recipe, options.overrides), /*ranks=*/0);
  const RunData data = open_run_data(source, {});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  TextTable table({"dataset", "samples", "order"});
  table.align(1, TextTable::Align::right);
  const auto add = [&](const char* name, const std::shared_ptr<const Dataset>& dataset) {
    if (dataset) table.add({name, group_digits(dataset->size()), dataset->order_id()});
  };
  add("train", data.train);
  add("valid", data.valid);
  add("test", data.test);
  fmt::print("{}\n{:.1f} s\n", table.str(), seconds);
}

}  // namespace

void add_index(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command =
      parent.subcommand("index", "Build and cache the order of a run's samples, on a machine without GPUs");
  command.option("RECIPE", options->recipe, "a recipe's name or a .json file").required();
  command.option("OVERRIDES", options->overrides, "KEY=VALUE: the run's own");
  command.examples(
      "Example:\n"
      "  llm-pretrain data index mine.json model.from=HF_DIR data.cache_dir=/shared/cache\n"
      "Give it what `pretrain` will get: the order depends on the data, data.seed, data.sequence_length, trainer.max_steps and the\n"
      "batch. The run then reads the order and builds nothing; equal ids mean equal orders.");
  command.run([options] { build_index(*options); });
}

}  // namespace longhaul::cli
