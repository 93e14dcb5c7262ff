// llm-pretrain launch: starts a command as several ranks.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "longhaul/launch/local.h"

namespace longhaul::cli {
namespace {

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

void add_local(CLI::App& launch) {
  auto options = std::make_shared<launch::LocalLaunch>();
  CLI::App* command = launch.add_subcommand("local", "Start ranks on this machine, under Open MPI");
  command->add_option("--ranks", options->ranks, "how many; required")->type_name("N")->check(CLI::PositiveNumber);
  command->add_option("--threads-per-rank", options->threads_per_rank, "(default: the cores divided among the ranks)")
      ->type_name("T")
      ->check(CLI::PositiveNumber);
  command->add_option("--output-dir", options->output_dir, "write each rank's output to rank_N.log there; the terminal shows rank 0's alone")
      ->type_name("D");
  command->add_option("COMMAND", options->command, "what each rank runs, behind \"--\": a command of this program; required");
  command->footer("Example:\n  llm-pretrain launch local --ranks 2 -- pretrain llama_tiny data.mock=true");
  command->callback([options] {
    const std::string self = own_program();
    std::vector<std::string>& words = options->command;
    // Whoever is used to other launchers names the program too.
    if (!words.empty() && std::filesystem::path(words.front()).filename() == std::filesystem::path(self).filename()) words.erase(words.begin());
    if (!words.empty()) words.insert(words.begin(), self);
    options->rank_starter = {self, "launch", "rank", "--"};
    const int code = launch::launch_local(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

// For launch_local alone, so that no help shows it.
void add_rank(CLI::App& launch) {
  auto arguments = std::make_shared<std::vector<std::string>>();
  CLI::App* command = launch.add_subcommand("rank", "Start one rank; used by `launch local`");
  command->group("");
  command->add_option("ARGUMENTS", *arguments)->required();
  command->callback([arguments] {
    const int code = launch::start_rank(*arguments);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace

void add_launch_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("launch", "Start a command as several ranks");
  command->require_subcommand(1);
  command->footer("Example:\n  llm-pretrain launch local --ranks 2 -- pretrain llama_tiny data.mock=true");
  add_local(*command);
  add_rank(*command);
}

}  // namespace longhaul::cli
