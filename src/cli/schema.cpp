// llm-pretrain schema: the keys of a recipe, for editors and for people.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "longhaul/core/config/describe.h"
#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/load.h"

namespace longhaul::cli {

void add_schema_command(const Command& app) {
  struct Options {
    bool markdown = false;
    bool text = false;
    std::string prefix;
  };
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("schema", "Print the JSON Schema of recipe files, or the list of all keys");
  const Option markdown =
      command.flag("--markdown", options->markdown, "print the reference page (docs/configuration.md) instead");
  const Option text = command.flag("--text", options->text, "print all keys, one a line, instead");
  markdown.excludes(text);
  command.option("PREFIX", options->prefix, "with --text: only keys that start with this").needs(text);
  command.examples(
      "Examples:\n"
      "  llm-pretrain schema > configs/recipe.schema.json\n"
      "  llm-pretrain schema --markdown > docs/configuration.md\n"
      "  llm-pretrain schema --text optimizer.");
  command.run([options] {
    const auto fits = [&](const FieldLeaf& key) { return key.path.starts_with(options->prefix); };
    if (!options->prefix.empty() && std::ranges::none_of(leaves(fields<Recipe>()), fits)) {
      throw UserError("no key begins with \"{}\". {}", options->prefix, key_hint(fields<Recipe>(), options->prefix));
    }
    fmt::print("{}", options->markdown ? recipe_reference_text()
                     : options->text   ? config_help(fields<Recipe>(), options->prefix)
                                       : recipe_schema_text());
  });
}

}  // namespace longhaul::cli
