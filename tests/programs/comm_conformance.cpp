// The communicators' conformance suite as a program: `mpirun -n 4 comm_conformance`. Prints a line on rank 0.
//   comm_conformance [--message-limit BYTES] [--fail-rank R] [--hang-rank R] [--kill-rank R]
// --message-limit: MPI's messages travel in pieces of so many bytes. --fail-rank: rank R throws while the others wait.
// --hang-rank: rank R does not come, and the others' wait of half a second must end.
// --kill-rank: rank R dies at once.
#include <fmt/core.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "longhaul/comm/mpi_session.h"
#include "unit/comm/conformance.h"

int main(int argc, char** argv) {
  using namespace longhaul::comm;
  size_t message_limit = size_t{1} << 30;
  int fail_rank = -1, hang_rank = -1, kill_rank = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == std::string_view("--message-limit")) message_limit = std::strtoull(argv[i + 1], nullptr, 10);
    if (argv[i] == std::string_view("--fail-rank")) fail_rank = std::atoi(argv[i + 1]);
    if (argv[i] == std::string_view("--kill-rank")) kill_rank = std::atoi(argv[i + 1]);
    if (argv[i] == std::string_view("--hang-rank")) hang_rank = std::atoi(argv[i + 1]);
  }
  const MpiSession mpi;
  const auto world = mpi.world(message_limit);
  try {
    if (fail_rank >= 0) {
      world->barrier();
      if (world->rank() == fail_rank) throw std::runtime_error("this rank was told to fail");
      world->barrier();
    }
    if (hang_rank >= 0) {
      if (world->rank() == hang_rank) std::this_thread::sleep_for(std::chrono::seconds(60));
      world->set_timeout(std::chrono::milliseconds(500));
      world->barrier();
    }
    if (world->rank() == kill_rank) std::raise(SIGKILL);
    world->set_timeout(std::chrono::seconds(120));
    const int64_t compared = conformance::run(*world);
    world->barrier();
    if (world->rank() == 0) fmt::print("conformance: {} ranks, {} results compared on rank 0, all as expected\n", world->size(), compared);
  } catch (const std::exception& error) {
    world->abort(error.what());
    return 1;
  }
  return 0;
}
