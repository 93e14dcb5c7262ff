// llm-pretrain: what a user gets wrong ends with one line on standard error and exit code 2, what the machine
// or we get wrong with exit code 1.
#include <c10/util/Exception.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "commands.h"
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

// CLI11 would say that "the following argument was not expected"; a mistyped command deserves a better
// answer.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    if (names.back() == argv[1]) return;
  }
  const std::string close = nearest(argv[1], names);
  throw UserError("there is no command \"{}\".{}", argv[1],
                  close.empty() ? " `llm-pretrain --help` lists all commands."
                                : fmt::format(" Did you mean \"{}\"?", close));
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
    check_command(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::RuntimeError& ended) {  // a command that ends with an exit code and has told why
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "error: {}. `--help` lists the options.\n", error.what());
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
  } catch (const longhaul::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    code = error.exit_code();
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
