// llm-pretrain plan: what a run would do, before it starts.
#include <fmt/core.h>

#include <memory>

#include "cli/commands.h"
#include "cli/layout_report.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {
namespace {

// Layouts that can be drawn but not trained with are let through; what can't be drawn is refused with what fits
// `ranks`.
Recipe drawable(const std::string& name, const std::vector<std::string>& overrides, int64_t ranks) {
  try {
    return with_shape_of_model(load_recipe(name, overrides));
  } catch (const UserError&) {
    if (ranks > 0) with_shape_of_model(load_recipe(name, overrides, ranks), ranks);
    throw;
  }
}

void plan_layout(const std::string& name, const std::vector<std::string>& overrides, int64_t ranks, bool all) {
  const Recipe recipe = drawable(name, overrides, ranks);
  if (recipe.model.vocab_size == 0) throw UserError("the size of the vocabulary is not known: add model.vocab_size=N");
  if (ranks == 0) ranks = recipe.parallel.model_ranks();
  const std::string report = layout_report(recipe, ranks, all);  // or it throws
  try {
    require_layout(recipe, ranks);
  } catch (const UserError& error) {  // what can be drawn, but not be trained with
    fmt::print("`pretrain` would refuse this: {}\n\n", error.what());
  }
  fmt::print("{}", report);
}

void add_layout(const Command& plan) {
  struct Options {
    std::string recipe;
    std::vector<std::string> overrides;
    int64_t ranks = 0;
    bool all = false;
  };
  auto options = std::make_shared<Options>();
  const Command command = plan.subcommand("layout", "Show which rank holds what, and who talks to whom");
  command.option("RECIPE", options->recipe, "a recipe's name or a .json file").required();
  command.option("OVERRIDES", options->overrides, "KEY=VALUE: settings to change first");
  command.option("--ranks", options->ranks, "ranks of the run; default: one copy of the model in the recipe's layout")
      .between(int64_t{1}, int64_t{1} << 20);
  command.flag("--all", options->all, "list all ranks, however many");
  command.examples(
      "Examples:\n"
      "  llm-pretrain plan layout llama3_8b --ranks 8 parallel.context=1\n"
      "  llm-pretrain plan layout llama3_70b --ranks 64 parallel.tensor=8 parallel.pipeline=4 parallel.context=1");
  command.run([options] { plan_layout(options->recipe, options->overrides, options->ranks, options->all); });
}

}  // namespace

void add_plan_command(const Command& app) {
  const Command command = app.subcommand("plan", "Show what a run would do before it starts");
  command.needs_subcommand();
  command.examples("Example:\n  llm-pretrain plan layout llama3_8b --ranks 8 parallel.context=1");
  add_layout(command);
}

}  // namespace longhaul::cli
