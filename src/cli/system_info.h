// Facts about this machine, for `llm-pretrain doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul::cli {

struct CpuInfo {
  std::string model;
  int64_t cores = 0;  // that this process may use
  double quota = 0;   // cores that a container's limit leaves; 0: no limit
  bool avx2 = false, avx512 = false, avx512_bf16 = false, amx_bf16 = false;
};

struct CudaInfo {
  bool driver_found = false;
  int driver_version = 0;         // 12040 is 12.4
  std::string problem;            // why no GPU can be used, in words; empty when one can
  std::vector<std::string> gpus;  // "NVIDIA H100 80GB HBM3, 79.1 GiB, sm_90"
};

std::string os_name();
CpuInfo cpu_info();
int64_t free_disk(const std::string& folder);  // bytes; -1 when unknown
CudaInfo cuda_info();
// The full path of a program on PATH, or "".
std::string find_program(const std::string& name);

}  // namespace longhaul::cli
