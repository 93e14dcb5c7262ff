// The communicators' conformance suite as a program, with the ranks that the environment gives: under mpirun, srun, or
// with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Prints a line on rank 0.
//   comm_conformance [--message-limit BYTES] [--fail-rank R] [--hang-rank R] [--stop-rank R] [--kill-rank R]
//                    [--join-timeout MS]
// --message-limit: MPI's messages travel in pieces of so many bytes. --fail-rank: rank R throws while the others wait.
// --hang-rank: rank R does not come, and the others' wait of half a second must end. --stop-rank: the same, but the
// whole process is stopped. --kill-rank: rank R dies at once.
#include <fmt/core.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

#include "longhaul/comm/rendezvous.h"
#include "longhaul/core/error.h"
#include "unit/comm/conformance.h"

namespace {

using namespace longhaul;
using namespace longhaul::comm;

void misbehave(Communicator& world, std::map<std::string, int64_t>& options) {
  const auto is = [&](const char* option) { return options.contains(option) && options[option] == world.rank(); };
  world.barrier();
  if (is("--kill-rank")) std::raise(SIGKILL);
  if (is("--fail-rank")) throw std::runtime_error("this rank was told to fail");
  if (options.contains("--hang-rank") || options.contains("--stop-rank")) {
    if (is("--hang-rank")) std::this_thread::sleep_for(std::chrono::seconds(60));
    if (is("--stop-rank")) std::raise(SIGSTOP);
    world.set_timeout(std::chrono::milliseconds(500));
  }
  world.barrier();
}

void conform(World& world, std::map<std::string, int64_t>& options) {
  Communicator& all = *world.communicator;
  all.set_timeout(std::chrono::seconds(120));
  misbehave(all, options);
  int64_t compared = 0;
  if (options.contains("--message-limit")) {
    compared = conformance::run(*world.mpi->world(static_cast<size_t>(options["--message-limit"])));
  } else {
    compared = conformance::run(all);
  }
  if (all.rank() == 0) {
    fmt::print("conformance over {}: {} ranks on {} nodes, {} results compared on rank 0, all as expected\n",
               world.backend, all.size(), world.hosts.machines(), compared);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, int64_t> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = std::atoll(argv[i + 1]);
  RendezvousOptions rendezvous;
  if (options.contains("--join-timeout"))
    rendezvous.join_timeout = std::chrono::milliseconds(options["--join-timeout"]);
  try {
    run_in_world(rendezvous, [&](World& world) { conform(world, options); });
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
  return 0;
}
