#include "cli/command_line.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "longhaul/core/config/suggest.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul::cli {
namespace {

// "" when the text is a number from `least` on, or above it; else what is wrong. CLI11's own words name the largest
// double.
std::string checked_number(const std::string& text, double least, bool least_too) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return fmt::format("\"{}\" is no number", text);
  if (least_too ? value >= least : value > least) return "";
  return fmt::format("{} is too small: it must be {} {}", text, least_too ? "at least" : "more than", least);
}

}  // namespace

const Option& Option::required() const {
  option_->required();
  return *this;
}

const Option& Option::show_default() const {
  option_->capture_default_str();
  return *this;
}

const Option& Option::show_default(const std::string& text) const {
  option_->default_str(text);
  return *this;
}

const Option& Option::value_name(const std::string& name) const {
  option_->type_name(name);
  return *this;
}

const Option& Option::one_of(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

const Option& Option::positive() const {
  option_->check(CLI::Validator([](std::string& text) { return checked_number(text, 0, false); }, "POSITIVE"));
  return *this;
}

const Option& Option::not_negative() const {
  option_->check(CLI::Validator([](std::string& text) { return checked_number(text, 0, true); }, "NONNEGATIVE"));
  return *this;
}

const Option& Option::between(int64_t least, int64_t most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

const Option& Option::between(double least, double most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

const Option& Option::separated_by(char delimiter) const {
  option_->delimiter(delimiter);
  return *this;
}

const Option& Option::needs(const Option& other) const {
  option_->needs(other.option_);
  return *this;
}

const Option& Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}

Command Command::subcommand(const std::string& name, const std::string& description) const {
  return Command(app_->add_subcommand(name, description));
}

void Command::needs_subcommand() const {
  app_->require_subcommand(1);
}

void Command::hide() const {
  app_->group("");
}

void Command::examples(const std::string& text) const {
  app_->footer(text);
}

void Command::run(std::function<void()> function) const {
  app_->callback(std::move(function));
}

bool Command::given() const {
  return app_->parsed();
}

Option Command::option(const std::string& name, std::string& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::filesystem::path& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::optional<std::string>& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::vector<std::string>& values, const std::string& help) const {
  return Option(app_->add_option(name, values, help));
}

Option Command::option(const std::string& name, int& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, int64_t& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, uint64_t& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::optional<int64_t>& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, double& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::flag(const std::string& name, bool& value, const std::string& help) const {
  return Option(app_->add_flag(name, value, help));
}

CLI::Option* Command::word_option(const std::string& name, std::function<void(const std::string&)> use,
                                  const std::string& help) const {
  return app_->add_option_function<std::string>(name, use, help);
}

namespace {

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());  // others no help shows
  }
  return names;
}

// What others call a command or an option: "" where nothing of `known` is meant.
std::string known_by_another_name(const std::string& word, const std::vector<std::string>& known) {
  static constexpr std::array<std::array<const char*, 2>, 11> kNames{{{"train", "pretrain"},
                                                                      {"finetune", "pretrain"},
                                                                      {"preprocess", "prepare"},
                                                                      {"preprocess_data", "prepare"},
                                                                      {"tokenize", "prepare"},
                                                                      {"--model", "--checkpoint"},
                                                                      {"--checkpoint", "--model"},
                                                                      {"--load", "--model"},
                                                                      {"--tokenizer-model", "--tokenizer"},
                                                                      {"--tokenizer-name-or-path", "--tokenizer"},
                                                                      {"--output", "--output-prefix"}}};
  for (const auto& [other, ours] : kNames) {
    if (word == other && std::find(known.begin(), known.end(), ours) != known.end()) return ours;
  }
  return "";
}

// The nearest of `known` to a word, or the one that others call so.
std::string meant(const std::string& word, const std::vector<std::string>& known) {
  const std::string ours = known_by_another_name(word, known);
  return ours.empty() ? nearest(word, known) : ours;
}

// The commands below `command` that have an option of that name.
std::vector<std::string> subcommands_with(const CLI::App& command, const std::string& option) {
  std::vector<std::string> owners;
  for (const std::string& name : names_of(command)) {
    if (command.get_subcommand(name)->get_option_no_throw(option) != nullptr) owners.push_back(name);
  }
  return owners;
}

// A word or an option that a command does not know, with what may be meant, or what may follow where nothing does; ""
// when something else is wrong. CLI11 would say that an argument was not expected, or that another is missing.
std::string wrong_word(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  const auto text = [](const std::string& problem, const std::string& close) {
    return close.empty() ? problem : fmt::format("{}. Did you mean {}?", problem, close);
  };
  std::vector<std::string> options;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  const std::vector<std::string> commands = names_of(*command);
  const bool needs_command = command->get_require_subcommand_min() > 0;
  for (const std::string& word : command->remaining()) {
    if (word == "--") continue;
    if (word.starts_with("--")) {
      const std::string option = word.substr(0, word.find('=')), close = meant(option, options);
      const auto owners = subcommands_with(*command, option);
      if (owners.size() == 1) {
        return fmt::format("`{0}` has no option {1}, but `{0} {2}` has: write `{0} {2} {1} …`", command->get_name(),
                           word, owners.front());
      }
      if (!owners.empty()) {
        return fmt::format("`{}` itself has no option {}, but its commands {} have", command->get_name(), word,
                           fmt::join(owners, ", "));
      }
      if (command->get_option_no_throw("OVERRIDES") != nullptr && close.empty()) {
        std::string name = option.substr(2);
        std::replace(name.begin(), name.end(), '-', '_');
        const std::string key = suggest_key(fields<Recipe>(), name);
        return fmt::format(
            "`{}` has no option {}: settings are KEY=VALUE without dashes, such as {}=…; `llm-pretrain schema --text` lists them",
            command->get_name(), word, key.empty() ? "optimizer.lr" : key);
      }
      return text(fmt::format("`{}` has no option {}", command->get_name(), word), close);
    }
    if (commands.empty() || !needs_command) continue;
    const std::string close = meant(word, commands), above = command == &app ? "" : command->get_name() + " ";
    const std::string others =
        close.empty() && command != &app ? fmt::format(", but {}", fmt::join(commands, ", ")) : "";
    return text(fmt::format("there is no command \"{}{}\"{}", above, word, others),
                close.empty() ? "" : fmt::format("\"{}\"", close));
  }
  if (needs_command && command != &app && command->remaining().empty())
    return fmt::format("a command of `{}` is required: {}", command->get_name(), fmt::join(commands, ", "));
  return "";
}

}  // namespace

CommandLine::CommandLine(const std::string& program, const std::string& version, const std::string& description,
                         const std::string& examples)
    : app_(std::make_unique<CLI::App>(description, program)) {
  app_->set_version_flag("--version", program + " " + version);
  root().needs_subcommand();
  root().examples(examples);
}

CommandLine::~CommandLine() = default;

int CommandLine::run(int argc, char** argv) const {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app_->exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    const std::string wrong = wrong_word(*app_), problem = wrong.empty() ? error.what() : wrong;
    fmt::print(stderr, "error: {}{} `--help` lists what there is.\n", problem, problem.ends_with("?") ? "" : ".");
    return 2;
  } catch (const Exit& ended) {
    return ended.code;
  }
  return 0;
}

}  // namespace longhaul::cli
