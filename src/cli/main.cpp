// llm-pretrain: what a user gets wrong ends with one line on standard error and exit code 2, what the machine
// or we get wrong with exit code 1.
#include <c10/util/Exception.h>
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <string>

#include "cli/commands.h"
#include "longhaul/comm/error.h"
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

int run(int argc, char** argv) {
  const CommandLine line(
      "llm-pretrain", LONGHAUL_VERSION,
      "Longhaul: pre-trains large language models, and continues to pre-train Hugging Face checkpoints.", kExamples);
  const Command app = line.root();
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
  return line.run(argc, argv);
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
