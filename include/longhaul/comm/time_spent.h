// How long this process has been busy with communication on CPUs: starting messages, adding up what came, and waiting for
// other ranks. What moves while it computes is not in it. NCCL works on the GPU's time, and thread ranks share one process:
// neither counts.
#pragma once

#include <chrono>

namespace longhaul::comm {

std::chrono::nanoseconds time_spent();

}  // namespace longhaul::comm
