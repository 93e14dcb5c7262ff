// What the environment says about who started this process, and how it can find the other ranks.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace longhaul::comm {

struct LaunchEnvironment {
  enum class Kind {
    single,  // nobody: a rank on its own
    mpi,     // mpirun, or srun --mpi=pmix
    tcp,     // anything that sets RANK and WORLD_SIZE, or srun without PMIx
  };
  Kind kind = Kind::single;
  int size = 1;  // for mpi: as far as the launcher tells
  // For tcp.
  int rank = 0;
  std::string host;  // of rank 0
  int port = 0;
};

using GetVariable = std::function<std::optional<std::string>(const char* name)>;

// Throws UserError where the variables contradict themselves, some are missing, a Slurm job of several tasks or nodes
// runs the program without srun, or an MPI has started it that is not Open MPI.
LaunchEnvironment launch_environment(const GetVariable& get);

// How many processes a launcher says that it has started; 1 without a launcher.
int launched_ranks(const GetVariable& get);

// The first host of a list as Slurm writes it: "gpu[03-07,9],cpu1" gives "gpu03".
std::string first_host(const std::string& list);

}  // namespace longhaul::comm
