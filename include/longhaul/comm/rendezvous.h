// How this process finds the other ranks of its job. The environment decides: mpirun and `srun --mpi=pmix` lead to MPI;
// RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or the variables of a plain srun, to TCP connections; without any of
// them the process is the only rank.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "longhaul/comm/communicator.h"
#include "longhaul/comm/mpi_session.h"
#include "longhaul/comm/rank_hosts.h"

namespace longhaul::comm {

struct RendezvousOptions {
  std::chrono::milliseconds join_timeout = std::chrono::minutes(5);  // for all ranks to come
  std::chrono::milliseconds timeout = std::chrono::minutes(30);      // of the communicator's waits; 0: for ever
};

struct World {
  std::unique_ptr<MpiSession> mpi;  // where MPI carries the messages; outlives the communicator
  std::unique_ptr<Communicator> communicator;
  std::string backend;  // "mpi", "tcp" or "single"
  RankHosts hosts;
};

// Throws UserError where the environment contradicts itself, CommunicationError that names who is missing when not all
// ranks come in time, EnvironmentError when MPI cannot start.
World join_world(const RendezvousOptions& options);

// For what works on one process. UserError where a launcher has started several, each of which would do the same.
void require_one_process(const std::string& command);

// Joins, runs the body, and where it throws tells all ranks before the exception goes on.
void run_in_world(const RendezvousOptions& options, const std::function<void(World&)>& body);

}  // namespace longhaul::comm
