#include "longhaul/comm/rendezvous.h"

#include <cstdlib>
#include <numeric>

#include "comm/direct_communicator.h"
#include "comm/launch_environment.h"
#include "comm/tcp_rendezvous.h"
#include "comm/tcp_transport.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/failure_note.h"
#include "longhaul/comm/thread_communicator.h"
#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::optional<std::string>(text) : std::nullopt;
}

std::unique_ptr<Communicator> tcp_communicator(const LaunchEnvironment& found, const RendezvousOptions& options) {
  std::vector<int> members(static_cast<size_t>(found.size));
  std::iota(members.begin(), members.end(), 0);
  auto sockets = meet({found.rank, found.size, found.host, found.port, options.join_timeout});
  return std::make_unique<DirectCommunicator>(std::make_shared<Progress>(),
                                              tcp_transport(std::move(sockets), found.rank), std::move(members),
                                              found.rank, "world", options.timeout);
}

}  // namespace

World join_world(const RendezvousOptions& options) {
  const LaunchEnvironment found = launch_environment(variable);
  World world;
  switch (found.kind) {
    case LaunchEnvironment::Kind::mpi:
      world.mpi = std::make_unique<MpiSession>(found.size);
      world.communicator = world.mpi->world();
      world.backend = "mpi";
      break;
    case LaunchEnvironment::Kind::tcp:
      world.communicator = tcp_communicator(found, options);
      world.backend = "tcp";
      break;
    case LaunchEnvironment::Kind::single:
      world.communicator = single_communicator();
      world.backend = "single";
      break;
  }
  world.communicator->set_timeout(options.join_timeout);
  world.hosts = RankHosts(world.communicator.get());
  world.communicator->reset_traffic();
  world.communicator->set_timeout(options.timeout);
  return world;
}

void require_one_process(const std::string& command) {
  if (const int ranks = launched_ranks(variable); ranks > 1) {
    throw UserError(
        "`{}` works on one process, but the environment tells of {}, each of which would do the same: start it without a launcher",
        command, ranks);
  }
}

void run_in_world(const RendezvousOptions& options, const std::function<void(World&)>& body) {
  World world = join_world(options);
  const auto tell_all = [&world](int exit_code, const std::string& cause) {
    leave_failure_note({world.communicator->rank(), exit_code, cause});
    world.communicator->abort(cause, exit_code);
  };
  try {
    body(world);
    world.communicator->barrier();  // nobody leaves while others still talk
  } catch (const AgreedFailure&) {
    // Whoever reports it ends the job; a rank that left before would have it ended without a word.
    try {
      world.communicator->barrier();
    } catch (const CommunicationError&) {
    }
    throw;
  } catch (const Error& error) {
    tell_all(error.exit_code(), error.what());
    throw;
  } catch (const std::exception& error) {
    tell_all(1, error.what());
    throw;
  }
}

}  // namespace longhaul::comm
