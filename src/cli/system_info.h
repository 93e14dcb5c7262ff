// Facts about this machine, for `llm-pretrain doctor`.
#pragma once

#include <cstdint>
#include <string>

namespace longhaul::cli {

struct CpuInfo {
  std::string model;
  int64_t cores = 0;  // that this process may use
  double quota = 0;   // cores that a container's limit leaves; 0: no limit
  bool avx2 = false, avx512 = false, avx512_bf16 = false, amx_bf16 = false;
};

std::string os_name();
CpuInfo cpu_info();
int64_t free_disk(const std::string& folder);  // bytes; -1 when unknown
// The full path of a program on PATH, or "".
std::string find_program(const std::string& name);

}  // namespace longhaul::cli
