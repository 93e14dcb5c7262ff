#include "longhaul/launch/local.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "launch/arguments.h"
#include "launch/cores.h"
#include "launch/rank_folder.h"
#include "launch/rank_output.h"
#include "longhaul/comm/failure_note.h"
#include "longhaul/core/error.h"
#include "longhaul/core/handled_signals.h"

namespace longhaul::launch {
namespace {

volatile std::sig_atomic_t g_signals = 0;
volatile std::sig_atomic_t g_last_signal = 0;

void remember_signal(int signal) {
  g_last_signal = signal;
  g_signals = g_signals + 1;
}

std::vector<std::string> mpirun_command(const LocalLaunch& options, const std::filesystem::path& folder) {
  // The host is named, since in a job of Slurm's or the like mpirun would take all machines of the job.
  std::vector<std::string> words{"mpirun",
                                 "-n",
                                 fmt::format("{}", options.ranks),
                                 "--host",
                                 fmt::format("localhost:{}", options.ranks),
                                 "--oversubscribe",
                                 "--bind-to",
                                 "none"};
  words.insert(words.end(), options.rank_starter.begin(), options.rank_starter.end());
  words.push_back(folder.string());
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

void set_environment(const LocalLaunch& options, const std::filesystem::path& folder) {
  const int cores = static_cast<int>(usable_cores().size());
  const int threads = options.threads_per_rank > 0 ? options.threads_per_rank : std::max(1, cores / options.ranks);
  ::setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);
  ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  if (options.ranks > cores) ::setenv("OMPI_MCA_mpi_yield_when_idle", "1", 1);
  ::setenv(comm::kFailureFolder, folder.c_str(), 1);
}

// In a process group of its own: a terminal's Ctrl-C comes to the launcher alone, which passes it on once.
pid_t start_mpirun(const LocalLaunch& options, const std::filesystem::path& folder, const std::filesystem::path& log) {
  Arguments arguments(mpirun_command(options, folder));
  const pid_t child = ::fork();
  if (child < 0) throw EnvironmentError("cannot start mpirun: {}", std::strerror(errno));
  if (child == 0) {
    ::setpgid(0, 0);
    set_environment(options, folder);
    const int nothing = ::open("/dev/null", O_RDONLY), file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    ::execvp("mpirun", arguments.data());
    std::_Exit(127);
  }
  return child;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The exit code, after the rest of the output and the first failure were shown.
int report(int status, const RankFolder& folder, const std::filesystem::path& log, RankOutput& output) {
  const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const auto note = good ? std::nullopt : comm::read_failure_note(folder.path());
  std::string summary;
  if (note) {
    const std::string last = output.last_error(note->rank);
    const bool told = last.empty() || last.find(note->cause) != std::string::npos;
    summary = fmt::format("error: rank {} failed first: {}{}\n", note->rank, note->cause,
                          told ? "" : fmt::format("; its last words: {}", last));
  }
  output.flush(summary);
  if (good) return 0;
  if (!note && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    throw EnvironmentError("there is no mpirun here. Install Open MPI (openmpi-bin), or run scripts/setup.");
  }
  if (!note) {  // mpirun itself failed, and says why
    fmt::print(stderr, "{}error: mpirun failed before any rank did; its words stand above\n", text_of(log));
    return 1;
  }
  fmt::print(stderr, "{}", summary);
  return note->exit_code;
}

}  // namespace

int launch_local(const LocalLaunch& options) {
  if (options.ranks < 1)
    throw UserError("say how many ranks to start with --ranks, as in `launch local --ranks 2 -- pretrain RECIPE`");
  if (options.command.empty())
    throw UserError(
        "nothing to launch: put a command behind \"--\", as in `launch local --ranks 2 -- pretrain RECIPE`");
  const RankFolder folder(options.ranks);
  RankOutput output(folder.path(), options.ranks, options.output_dir);
  const std::filesystem::path log = folder.path() / "mpirun.log";
  g_signals = 0;
  const HandledSignals signals(remember_signal);
  const pid_t mpirun = start_mpirun(options, folder.path(), log);
  int status = 0, passed_on = 0;
  while (::waitpid(mpirun, &status, WNOHANG) == 0) {
    output.pump(100);
    for (; passed_on < g_signals; ++passed_on) {
      if (passed_on == 0) {
        folder.signal_ranks(g_last_signal);
      } else {
        ::kill(mpirun, SIGTERM);
      }
    }
  }
  while (output.pump(0)) {
  }
  return report(status, folder, log, output);
}

}  // namespace longhaul::launch
