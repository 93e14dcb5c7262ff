// llm-pretrain recipes: what there is, what a recipe means, and a file to start from.
#include <fmt/core.h>

#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/recipe_report.h"
#include "cli/starter_file.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/library.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {
namespace {

void list_recipes(bool names_only) {
  bool some_untrainable = false;
  TextTable table({"recipe", "parameters", "sequence", "batch", "ranks", "what"});
  for (size_t column = 1; column <= 4; ++column) table.align(column, TextTable::Align::right);
  for (const auto make : recipe_library()) {
    const Recipe r = resolved(make());
    if (names_only) {
      fmt::print("{}\n", r.name);
      continue;
    }
    const bool trainable = r.parallel.context == 1;
    some_untrainable |= !trainable;
    table.add({r.name, format_count(static_cast<double>(r.model.parameter_count())),
               fmt::format("{}", r.data.sequence_length), fmt::format("{}", r.batch.global),
               fmt::format("{}{}", r.parallel.model_ranks(), trainable ? "" : " *"), r.description});
  }
  if (names_only) return;
  fmt::print(
      "{}\nsequence in tokens, batch in sequences a step; ranks: of one copy of the model, in the recipe's "
      "layout.\n{}",
      table.str(),
      some_untrainable
          ? "* with parallel.context above 1, which can be planned, but not trained with yet: add parallel.context=1.\n"
          : "");
}

void add_list(const Command& recipes) {
  auto names_only = std::make_shared<bool>(false);
  const Command command = recipes.subcommand("list", "List the recipes that come with Longhaul");
  command.flag("--names", *names_only, "names alone, one a line");
  command.run([names_only] { list_recipes(*names_only); });
  command.examples("Example:\n  llm-pretrain recipes list");
}

void add_show(const Command& recipes) {
  struct Options {
    std::string recipe;
    std::vector<std::string> overrides;
    bool full = false, file = false;
  };
  auto options = std::make_shared<Options>();
  const Command command = recipes.subcommand("show", "Show what a recipe means: size, FLOPs, memory, settings");
  command.option("RECIPE", options->recipe, "a recipe's name or a .json file").required();
  command.option("OVERRIDES", options->overrides, "KEY=VALUE: settings to change first");
  const Option full = command.flag("--json", options->full, "print the full resolved configuration as JSON");
  const Option file = command.flag("--file", options->file, "print a recipe file with what differs from the defaults");
  full.excludes(file);
  command.examples(
      "Examples:\n"
      "  llm-pretrain recipes show llama3_8b\n"
      "  llm-pretrain recipes show llama3_70b parallel.tensor=8 recompute.mode=full\n"
      "  llm-pretrain recipes show my_run.json model.from=HF_DIR   (reads its config.json)\n"
      "  llm-pretrain recipes show my_run.json --json");
  command.run([options] {
    const Recipe recipe = load_recipe(options->recipe, options->overrides);
    fmt::print("{}", options->full   ? full_recipe_text(with_shape_of_model(recipe))
                     : options->file ? recipe_file_text(recipe)
                                     : recipe_report(recipe, with_shape_of_model(recipe)));
  });
}

struct InitOptions {
  std::string recipe, model, data, output;
  int64_t epochs = 1;
  bool overwrite = false;
};

void init(const InitOptions& options) {
  if (options.recipe.empty() == options.model.empty()) {
    throw UserError(
        "say what to start from: a recipe's name, for a model from scratch, or --model HF_DIR, to continue");
  }
  const std::string& path = options.output;
  const std::string text = options.model.empty() ? starter_file_text(find_recipe(options.recipe))
                                                 : continued_file_text(options.model, options.data, options.epochs);
  if (path.empty()) {
    fmt::print("{}", text);
    return;
  }
  if (!path.ends_with(".json")) throw UserError("--output {}: the name of a recipe file must end in .json", path);
  if (!options.overwrite && std::filesystem::exists(path))
    throw UserError("{} is there already; choose another --output, or add --overwrite to replace it", path);
  write_text(path, text);
  fmt::print("wrote {}; look at it with: llm-pretrain recipes show {}\n", path, path);
}

void add_init(const Command& recipes) {
  auto options = std::make_shared<InitOptions>();
  const Command command = recipes.subcommand("init", "Write a recipe file of your own to start from");
  const Option recipe = command.option("RECIPE", options->recipe, "the recipe that it is based on");
  const Option model = command.option("--model", options->model,
                                      "a Hugging Face folder, a checkpoint or a run to continue from, instead");
  model.excludes(recipe);
  const Option data =
      command.option("--data", options->data, "prefix of the .bin/.idx files to train on: their size gives the steps");
  data.needs(model);
  command.option("--epochs", options->epochs, "times that the data is read")
      .between(int64_t{1}, int64_t{1000})
      .show_default()
      .needs(data);
  command.option("-o,--output", options->output, "the file to write; default: standard output");
  command.flag("--overwrite", options->overwrite, "replace the file that is there");
  command.examples(
      "Examples:\n"
      "  llm-pretrain recipes init llama32_1b > my_run.json\n"
      "  llm-pretrain recipes init llama32_1b --output my_run.json\n"
      "  llm-pretrain recipes init --model HF_DIR --data data/corpus_text_document --output mine.json");
  command.run([options] { init(*options); });
}

}  // namespace

void add_recipes_command(const Command& app) {
  const Command command = app.subcommand("recipes", "List, show and start recipes");
  command.needs_subcommand();
  command.examples(
      "Examples:\n"
      "  llm-pretrain recipes list\n"
      "  llm-pretrain recipes show llama3_8b\n"
      "  llm-pretrain recipes init llama_tiny > my_run.json");
  add_list(command);
  add_show(command);
  add_init(command);
}

}  // namespace longhaul::cli
