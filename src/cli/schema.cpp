// llm-pretrain schema: the keys of a recipe, for editors and for people.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "longhaul/core/config/describe.h"
#include "longhaul/recipes/load.h"

namespace longhaul::cli {

void add_schema_command(CLI::App& app) {
  struct Options {
    bool markdown = false;
    bool text = false;
    std::string prefix;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("schema", "Print the JSON Schema of recipe files, or the list of all keys");
  auto* markdown = command->add_flag("--markdown", options->markdown,
                                     "print the reference page (docs/configuration.md) instead");
  auto* text = command->add_flag("--text", options->text, "print all keys, one a line, instead");
  markdown->excludes(text);
  command->add_option("PREFIX", options->prefix, "with --text: only keys that start with this")->needs(text);
  command->footer(
      "Examples:\n"
      "  llm-pretrain schema > configs/recipe.schema.json\n"
      "  llm-pretrain schema --markdown > docs/configuration.md\n"
      "  llm-pretrain schema --text optimizer.");
  command->callback([options] {
    fmt::print("{}", options->markdown ? recipe_reference_text()
                     : options->text   ? config_help(fields<Recipe>(), options->prefix)
                                       : recipe_schema_text());
  });
}

}  // namespace longhaul::cli
