// Ranks that are threads of one process: for tests and under a debugger. Sixteen ranks start in no time.
#pragma once

#include <functional>
#include <memory>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

// Runs `body(world)` on `ranks` threads, each with its communicator, and waits for all. If any throws, the others'
// operations throw too, and the first exception is thrown here.
void run_thread_ranks(int ranks, const std::function<void(Communicator& world)>& body);

// A group of one: every operation copies, or does nothing.
std::unique_ptr<Communicator> single_communicator();

}  // namespace longhaul::comm
