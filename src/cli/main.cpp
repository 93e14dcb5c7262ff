// llm-pretrain: what a user gets wrong ends with one line on standard error and exit code 2, what the machine
// or we get wrong with exit code 1.
#include <c10/util/Exception.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "commands.h"
#include "longhaul/comm/error.h"
#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"

namespace longhaul::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  llm-pretrain prepare --input corpus.jsonl --tokenizer HF_DIR --output-prefix data/corpus --append-eod\n"
    "  llm-pretrain pretrain llama_tiny model.from=HF_DIR data.train=data/corpus_text_document\n"
    "  llm-pretrain recipes list\n"
    "  llm-pretrain recipes show llama3_8b\n"
    "  llm-pretrain recipes init llama_tiny > my_run.json\n"
    "  llm-pretrain doctor\n"
    "`llm-pretrain COMMAND --help` explains a command.";

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());  // others no help shows
  }
  return names;
}

// The command below `command` that has an option of that name; "" where none has.
std::string subcommand_with(const CLI::App& command, const std::string& option) {
  for (const std::string& name : names_of(command)) {
    if (command.get_subcommand(name)->get_option_no_throw(option) != nullptr) return name;
  }
  return "";
}

// A word or an option that a command does not know, with what may be meant, or what may follow where nothing does; "" when
// something else is wrong. CLI11 would say that an argument was not expected, or that another is missing.
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
  for (const std::string& word : command->remaining()) {
    if (word == "--") continue;
    if (word.starts_with("--")) {
      if (const std::string owner = subcommand_with(*command, word.substr(0, word.find('='))); !owner.empty()) {
        return fmt::format("`{0}` has no option {1}, but `{0} {2}` has: write `{0} {2} {1} …`", command->get_name(), word, owner);
      }
      return text(fmt::format("`{}` has no option {}", command->get_name(), word), nearest(word.substr(0, word.find('=')), options));
    }
    if (commands.empty()) continue;
    const std::string close = nearest(word, commands), above = command == &app ? "" : command->get_name() + " ";
    const std::string others = close.empty() && command != &app ? fmt::format(", but {}", fmt::join(commands, ", ")) : "";
    return text(fmt::format("there is no command \"{}{}\"{}", above, word, others), close.empty() ? "" : fmt::format("\"{}\"", close));
  }
  if (!commands.empty() && command != &app) return fmt::format("a command of `{}` is required: {}", command->get_name(), fmt::join(commands, ", "));
  return "";
}

int run(int argc, char** argv) {
  CLI::App app(
      "Longhaul: pre-trains large language models, and continues to pre-train Hugging Face checkpoints.",
      "llm-pretrain");
  app.set_version_flag("--version", "llm-pretrain " LONGHAUL_VERSION);
  app.require_subcommand(1);
  app.footer(kExamples);
  add_prepare_command(app);
  add_pretrain_command(app);
  add_eval_command(app);
  add_generate_command(app);
  add_export_command(app);
  add_import_command(app);
  add_verify_command(app);
  add_inspect_command(app);
  add_data_command(app);
  add_tokenizer_command(app);
  add_recipes_command(app);
  add_plan_command(app);
  add_schema_command(app);
  add_launch_command(app);
  add_doctor_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::RuntimeError& ended) {  // a command that ends with an exit code and has told why
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    const std::string wrong = wrong_word(app), problem = wrong.empty() ? error.what() : wrong;
    fmt::print(stderr, "error: {}{} `--help` lists what there is.\n", problem, problem.ends_with("?") ? "" : ".");
    return 2;
  }
  return 0;
}

bool lacks_memory(const std::string& message) {
  for (const char* sign : {"not enough memory", "can't allocate memory", "out of memory"}) {
    if (message.find(sign) != std::string::npos) return true;
  }
  return false;
}

void out_of_memory() {
  fmt::print(stderr, "error: out of memory: use a smaller micro-batch or a shorter sequence, or a machine with more\n");
}

}  // namespace
}  // namespace longhaul::cli

int main(int argc, char** argv) {
  // `llm-pretrain … | head` ends quietly, whatever our parent does with this signal.
  std::signal(SIGPIPE, SIG_DFL);
  int code = 1;
  using namespace longhaul::cli;
  try {
    code = run(argc, argv);
  } catch (const longhaul::comm::AgreedFailure& failure) {  // another rank says what it is
    code = failure.exit_code();
  } catch (const longhaul::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    code = error.exit_code();
  } catch (const std::filesystem::filesystem_error& error) {  // a folder that may not be entered, links in a circle, …
    fmt::print(stderr, "error: cannot use {}: {}\n", error.path1().string(), error.code().message());
  } catch (const std::bad_alloc&) {
    out_of_memory();
  } catch (const c10::Error& error) {
    // LibTorch's allocators report a lack of memory as errors of its own.
    const std::string what = error.what_without_backtrace();
    if (lacks_memory(what)) {
      out_of_memory();
    } else {
      fmt::print(stderr, "internal error: {}\n", what);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "internal error: {}\n", error.what());
  }
  if (std::fflush(stdout) != 0 && code == 0) {
    std::perror("error: cannot write to standard output");
    code = 1;
  }
  return code;
}
