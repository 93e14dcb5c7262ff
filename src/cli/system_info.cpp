#include "cli/system_info.h"

#include <fmt/core.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace longhaul::cli {
namespace {

// The text after `key` and a separator in the first line of `file` that starts with it; "" when there is
// none.
std::string value_of(const char* file, const std::string& key, char separator) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    const auto begin = line.find_first_not_of(" \t\"", at + 1);
    const auto end = line.find_last_not_of(" \t\"");
    return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return "";
}

}  // namespace

std::string os_name() {
  utsname kernel{};
  uname(&kernel);
  const std::string name = value_of("/etc/os-release", "PRETTY_NAME", '=');
  return fmt::format("{}, {} {} ({})", name.empty() ? "unknown system" : name, kernel.sysname, kernel.release,
                     kernel.machine);
}

CpuInfo cpu_info() {
  CpuInfo info;
  info.model = value_of("/proc/cpuinfo", "model name", ':');
  const std::string flags = " " + value_of("/proc/cpuinfo", "flags", ':') + " ";
  const auto has = [&](const char* flag) { return flags.find(fmt::format(" {} ", flag)) != std::string::npos; };
  info.avx2 = has("avx2");
  info.avx512 = has("avx512f");
  info.avx512_bf16 = has("avx512_bf16");
  info.amx_bf16 = has("amx_bf16");
  cpu_set_t allowed;
  info.cores =
      sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : sysconf(_SC_NPROCESSORS_ONLN);
  std::ifstream limit("/sys/fs/cgroup/cpu.max");  // "200000 100000" or "max 100000"
  double quota = 0, period = 0;
  if (limit >> quota >> period && period > 0) info.quota = quota / period;
  return info;
}

int64_t free_disk(const std::string& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? -1 : static_cast<int64_t>(space.available);
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored) && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

}  // namespace longhaul::cli
