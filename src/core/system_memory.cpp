#include "longhaul/core/system_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul {
namespace {

namespace fs = std::filesystem;

std::optional<int64_t> number_in(const fs::path& file) {
  int64_t number = 0;
  if (std::ifstream(file) >> number) return number;
  return std::nullopt;  // not there, or "max"
}

// The names of a control group's files, in the kernel's second interface and in its first.
struct Interface {
  std::string_view folder, controller, limit, usage, inactive, active;
};
constexpr Interface kInterfaces[] = {
    {"sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file", "active_file"},
    {"sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
     "total_active_file"},
};

// The file cache that counts as the group's memory: the kernel drops it when the memory is wanted.
int64_t cache_of(const fs::path& group, const Interface& names) {
  std::ifstream facts(group / "memory.stat");
  std::string key;
  int64_t sum = 0;
  for (int64_t bytes = 0; facts >> key >> bytes;) {
    if (key == names.inactive || key == names.active) sum += bytes;
  }
  return sum;
}

// The path of this process' group for a controller: its line is "4:memory:/path", or "0::/path" in the second
// interface.
fs::path own_group(const fs::path& root, std::string_view controller) {
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller)
      return fs::path(line.substr(second + 1)).relative_path();
  }
  return {};
}

// A group and all around it have limits; inside a container only the outermost of them may be seen, as the root.
void heed_groups(const fs::path& root, const Interface& names, SystemMemory& memory) {
  const fs::path folder = root / names.folder;
  fs::path group = own_group(root, names.controller);
  while (true) {
    const auto limit = number_in(folder / group / names.limit);
    if (limit && *limit < memory.total) {
      const int64_t used = number_in(folder / group / names.usage).value_or(0) - cache_of(folder / group, names);
      memory.limit = memory.limit == 0 ? *limit : std::min(memory.limit, *limit);
      memory.available = std::clamp<int64_t>(*limit - used, 0, memory.available);
    }
    if (group.empty()) return;
    group = group.parent_path();
  }
}

}  // namespace

SystemMemory system_memory(const fs::path& root) {
  SystemMemory memory;
  std::ifstream facts(root / "proc/meminfo");  // "MemAvailable:   24064516 kB"
  std::string key, rest;
  for (int64_t kilobytes = 0; facts >> key >> kilobytes && std::getline(facts, rest);) {
    if (key == "MemTotal:") memory.total = kilobytes * 1024;
    if (key == "MemAvailable:") memory.available = kilobytes * 1024;
  }
  for (const Interface& names : kInterfaces) heed_groups(root, names, memory);
  return memory;
}

}  // namespace longhaul
