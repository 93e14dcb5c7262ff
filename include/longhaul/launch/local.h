// Starts a command as several ranks on this machine, under Open MPI's mpirun, whose many flags it hides.
//
// Each rank runs under a small process of ours, the rank's starter: it pins the rank to its cores, tells it how many
// threads to use, sends its output here, and reports how it ended.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longhaul::launch {

struct LocalLaunch {
  int ranks = 0;
  int threads_per_rank = 0;               // 0: the cores, divided among the ranks
  std::filesystem::path output_dir;       // where rank_N.log goes; empty: all output to the terminal
  std::vector<std::string> command;       // what each rank runs, the program first
  std::vector<std::string> rank_starter;  // a command that calls start_rank with the arguments that are appended to it
};

// Runs the ranks and waits for them. Rank 0's output appears here as it is; with an `output_dir` everybody's goes to
// files as well, without one that of the others appears here too, each line behind "[rank N] ".
// SIGINT and SIGTERM are passed on to the ranks, which may save and end; a second one ends them at once.
// Returns 0, or the exit code of the first rank that failed, after its error was shown as the last line.
int launch_local(const LocalLaunch& options);

// In a rank's starter: runs one rank to its end and returns its exit code.
int start_rank(const std::vector<std::string>& arguments);

}  // namespace longhaul::launch
