// How long the calling thread has been busy with communication on CPUs: starting messages, adding up what came, and
// waiting for other ranks. What moves while it computes is not in it, nor what other threads wait for, such as one that
// writes a checkpoint. Of NCCL, which works on the GPU's time, and of ranks that are threads nothing counts.
#pragma once

#include <chrono>

namespace longhaul::comm {

std::chrono::nanoseconds time_spent();

}  // namespace longhaul::comm
