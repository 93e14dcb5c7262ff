#pragma once

#include <cstdint>
#include <filesystem>

namespace longhaul {

// This machine's main memory, bytes.
struct SystemMemory {
  int64_t total = 0;
  int64_t available = 0;  // without swapping, and within the limit
  int64_t limit = 0;      // the container's, or the job's: of the control groups that this process is in; 0: none
};
// `root`: where proc/ and sys/ are.
SystemMemory system_memory(const std::filesystem::path& root = "/");

}  // namespace longhaul
