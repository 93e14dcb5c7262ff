#include "train/memory.h"

#include <sys/resource.h>

namespace longhaul {

int64_t peak_resident_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace longhaul
