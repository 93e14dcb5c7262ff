#include "launch/cores.h"

#include <sched.h>

namespace longhaul::launch {

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

std::vector<int> cores_of_rank(const std::vector<int>& cores, int rank, int ranks) {
  const int count = static_cast<int>(cores.size());
  if (ranks > count) return cores;
  return {cores.begin() + count * rank / ranks, cores.begin() + count * (rank + 1) / ranks};
}

void pin_to(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);  // a hint: ranks run anywhere where it is refused
}

}  // namespace longhaul::launch
