#include "emulation.h"

#include <ucontext.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul::emulation {
namespace {

constexpr size_t kStackBytes = size_t{64} << 10;
constexpr unsigned kWarp = 32;

// Threads that wait for one another, again and again.
struct Barrier {
  unsigned members = 0, arrived = 0;
  uint64_t generation = 0;

  void open_if_complete() {
    if (members == 0 || arrived < members) return;
    arrived = 0;
    ++generation;
  }
  void leave() {
    --members;
    open_if_complete();
  }
};

struct Fiber {
  ucontext_t context{};
  dim3 thread;
  unsigned number = 0;
  bool done = false;
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
};

struct Block {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Barrier> warps;
  std::vector<uint64_t> exchanged;
  Barrier all;
};

Block block;
Fiber* running = nullptr;
ucontext_t scheduler;
const std::function<void()>* body = nullptr;
uint64_t progress = 0;  // barriers passed and threads ended
bool last_thread_first = false;

void wait(Barrier& barrier) {
  const uint64_t before = barrier.generation;
  ++barrier.arrived;
  barrier.open_if_complete();
  while (barrier.generation == before) swapcontext(&running->context, &scheduler);
  ++progress;
}

void enter() {
  (*body)();
  running->done = true;
  ++progress;
  block.all.leave();
  block.warps[running->number / kWarp].leave();
}

void run_block(dim3 threads) {
  const unsigned count = threads.x * threads.y * threads.z;
  while (block.fibers.size() < count) block.fibers.push_back(std::make_unique<Fiber>());
  block.all = {count};
  block.warps.assign((count + kWarp - 1) / kWarp, {});
  block.exchanged.assign(count, 0);
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = *block.fibers[i];
    ++block.warps[i / kWarp].members;
    fiber.thread = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
    fiber.number = i;
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, enter, 0);
  }
  unsigned alive = count;
  while (alive > 0) {
    const uint64_t before = progress;
    for (unsigned i = 0; i < count; ++i) {
      Fiber& fiber = *block.fibers[last_thread_first ? count - 1 - i : i];
      if (fiber.done) continue;
      running = &fiber;
      state.thread = fiber.thread;
      swapcontext(&scheduler, &fiber.context);
      if (fiber.done) --alive;
    }
    LONGHAUL_CHECK(progress != before, "the threads of an emulated block wait for each other for ever");
  }
}

}  // namespace

State state;

void run_last_thread_first(bool last_first) {
  last_thread_first = last_first;
}

void run(dim3 grid, dim3 threads, size_t shared_bytes, const std::function<void()>& thread) {
  LONGHAUL_CHECK(threads.x * threads.y * threads.z <= 1024 && grid.y <= 65535 && grid.z <= 65535 && grid.x > 0 &&
                     grid.y > 0 && shared_bytes <= 48 * 1024,
                 "a launch that a GPU refuses");
  const auto shared = std::make_unique<double[]>(shared_bytes / sizeof(double) + 2);
  state.shared_memory = shared.get();
  state.threads = threads;
  state.grid = grid;
  body = &thread;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        state.block = {x, y, z};
        run_block(threads);
      }
    }
  }
}

void wait_for_block() {
  wait(block.all);
}

uint64_t exchange(uint64_t bits, int lane_mask) {
  const unsigned number = running->number;
  Barrier& warp = block.warps[number / kWarp];
  LONGHAUL_CHECK(warp.members == kWarp, "a shuffle of {} threads", warp.members);
  block.exchanged[number] = bits;
  wait(warp);
  const uint64_t result = block.exchanged[number / kWarp * kWarp + (number % kWarp ^ static_cast<unsigned>(lane_mask))];
  wait(warp);
  return result;
}

}  // namespace longhaul::emulation
