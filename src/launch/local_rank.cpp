// A rank's starter: between mpirun and the rank. See longhaul/launch/local.h.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "launch/arguments.h"
#include "launch/cores.h"
#include "launch/rank_folder.h"
#include "longhaul/comm/failure_note.h"
#include "longhaul/core/error.h"
#include "longhaul/launch/local.h"

namespace longhaul::launch {
namespace {

int number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (!text)
    throw UserError("{} is not set: a rank's starter is run by `llm-pretrain launch local`, not by hand.", name);
  return std::atoi(text);
}

void send_output_to(const std::filesystem::path& pipe, int descriptor) {
  const int opened = ::open(pipe.c_str(), O_WRONLY);
  if (opened < 0) throw EnvironmentError("cannot open {}: {}", pipe.string(), std::strerror(errno));
  ::dup2(opened, descriptor);
  ::close(opened);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace

int start_rank(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) throw UserError("a rank's starter needs a folder and a command");
  const std::filesystem::path folder = arguments[0];
  const std::vector<std::string> command(arguments.begin() + 1, arguments.end());
  const int rank = number_from_environment("OMPI_COMM_WORLD_RANK"),
            ranks = number_from_environment("OMPI_COMM_WORLD_SIZE");
  send_output_to(output_pipe(folder, rank), STDOUT_FILENO);
  send_output_to(error_pipe(folder, rank), STDERR_FILENO);

  const pid_t child = ::fork();
  if (child < 0) throw EnvironmentError("cannot start rank {}: {}", rank, std::strerror(errno));
  if (child == 0) {
    pin_to(cores_of_rank(usable_cores(), rank, ranks));
    ::execvp(command[0].c_str(), Arguments(command).data());
    fmt::print(stderr, "error: cannot run {}: {}\n", command[0], std::strerror(errno));
    std::_Exit(127);
  }
  // Signals for the rank also reach its starter, which outlives it to tell how it ended.
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) std::signal(signal, SIG_IGN);
  std::ofstream(pid_file(folder, rank)) << child << '\n';

  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (exit_code != 0) comm::leave_failure_note({rank, exit_code, how_it_ended(status)});
  return exit_code;
}

}  // namespace longhaul::launch
