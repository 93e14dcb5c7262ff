// llm-pretrain launch: starts a command as several ranks.
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "longhaul/launch/local.h"

namespace longhaul::cli {
namespace {

std::string own_program() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

bool names_program(const std::string& word, const std::filesystem::path& program) {
  std::error_code ignored;
  return word == program.filename() || std::filesystem::equivalent(word, program, ignored);
}

void add_local(const Command& launch) {
  auto options = std::make_shared<launch::LocalLaunch>();
  const Command command = launch.subcommand("local", "Start ranks on this machine, under Open MPI");
  command.option("-n,--ranks", options->ranks, "how many; required").value_name("N").positive();
  command.option("--threads-per-rank", options->threads_per_rank, "(default: the cores divided among the ranks)")
      .value_name("T")
      .positive();
  command
      .option("--output-dir", options->output_dir,
              "write each rank's output to rank_N.log there; the terminal shows rank 0's alone")
      .value_name("D");
  command.option("COMMAND", options->command,
                 "what each rank runs, behind \"--\": a command of this program; required");
  command.examples("Example:\n  llm-pretrain launch local --ranks 2 -- pretrain llama_tiny data.mock=true");
  command.run([options] {
    const std::string self = own_program();
    std::vector<std::string>& words = options->command;
    // Whoever is used to other launchers names the program too.
    if (!words.empty() && names_program(words.front(), self)) words.erase(words.begin());
    if (!words.empty()) words.insert(words.begin(), self);
    options->rank_starter = {self, "launch", "rank", "--"};
    const int code = launch::launch_local(*options);
    if (code != 0) throw Exit{code};
  });
}

// For launch_local alone, so that no help shows it.
void add_rank(const Command& launch) {
  auto arguments = std::make_shared<std::vector<std::string>>();
  const Command command = launch.subcommand("rank", "Start one rank; used by `launch local`");
  command.hide();
  command.option("ARGUMENTS", *arguments, "").required();
  command.run([arguments] {
    const int code = launch::start_rank(*arguments);
    if (code != 0) throw Exit{code};
  });
}

}  // namespace

void add_launch_command(const Command& app) {
  const Command command = app.subcommand("launch", "Start a command as several ranks");
  command.needs_subcommand();
  command.examples("Example:\n  llm-pretrain launch local --ranks 2 -- pretrain llama_tiny data.mock=true");
  add_local(command);
  add_rank(command);
}

}  // namespace longhaul::cli
