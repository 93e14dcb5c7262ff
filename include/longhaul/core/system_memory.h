#pragma once

#include <cstdint>

namespace longhaul {

// This machine's main memory, bytes.
struct SystemMemory {
  int64_t total = 0;
  int64_t available = 0;  // without swapping
  int64_t limit = 0;      // the container's; 0: none
};
SystemMemory system_memory();

}  // namespace longhaul
