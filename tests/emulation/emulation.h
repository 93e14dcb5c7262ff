// Runs a kernel on a CPU: one block after another, its threads as fibers that switch where they wait for each
// other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace longhaul::emulation {

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}  // NOLINT: implicit, as CUDA's
};

struct State {
  dim3 thread, block, threads, grid;
  void* shared_memory = nullptr;
};
extern State state;  // of the fiber that runs

// A block's threads run in order, or the last one first: what depends on that lacks a barrier.
void run_last_thread_first(bool last_first);

// Calls thread() for every thread of every block.
void run(dim3 grid, dim3 threads, size_t shared_bytes, const std::function<void()>& thread);

// Of the running fiber: until all others of its block are here or have returned.
void wait_for_block();
// Of the running fiber with its warp, whose 32 threads must all call it: gives `bits`, gets those of lane ^
// mask.
uint64_t exchange(uint64_t bits, int lane_mask);

}  // namespace longhaul::emulation
