#include "cli/other_work.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "longhaul/core/log.h"

namespace longhaul::cli {
namespace {

// Processes and threads that run or could run now, this one left out: the median of a few looks. 0 where Linux doesn't
// tell. The load average would count what has just ended.
int others_running() {
  std::array<int, 5> seen{};
  for (size_t look = 0; look < seen.size(); ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    int& running = seen[look];
    std::FILE* const file = std::fopen("/proc/loadavg", "r");
    if (file == nullptr) return 0;
    if (std::fscanf(file, "%*f %*f %*f %d/", &running) != 1) running = 0;
    std::fclose(file);
  }
  std::sort(seen.begin(), seen.end());
  return std::max(0, seen[seen.size() / 2] - 1);
}

}  // namespace

void tell_of_other_work(int threads, const std::string& setting) {
  if (threads <= 1) return;
  const auto cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  const int others = others_running();
  if (others == 0 || others + threads <= cores) return;
  log::info(
      "other programs keep {} of this machine's {} cores busy, and {} threads wait for one another: {}{} may be much faster",
      std::min(others, cores), cores, threads, setting, std::max(1, cores - others));
}

}  // namespace longhaul::cli
