#include "longhaul/core/system_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace longhaul {

SystemMemory system_memory() {
  SystemMemory memory;
  std::ifstream facts("/proc/meminfo");  // "MemAvailable:   24064516 kB"
  std::string key, rest;
  for (int64_t kilobytes = 0; facts >> key >> kilobytes && std::getline(facts, rest);) {
    if (key == "MemTotal:") memory.total = kilobytes * 1024;
    if (key == "MemAvailable:") memory.available = kilobytes * 1024;
  }
  int64_t limit = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit < memory.total) {
    memory.limit = limit;
    memory.available = std::min(memory.available, limit);
  }
  return memory;
}

}  // namespace longhaul
