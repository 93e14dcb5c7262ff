// NVIDIA's driver, asked through its own library: the answers are the same in a build with CUDA and in one without, and
// on a machine without a driver nothing fails.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace longhaul {

struct ListedGpu {
  std::string name;
  double memory = 0;         // bytes
  int major = 0, minor = 0;  // compute capability
  std::string pci;           // "00000000:3B:00.0"
};

// Where GPU `index` (as CUDA counts) is plugged in, as "0000:3b:00.0"; empty when the driver does not say.
std::string pci_bus_id(int index);

// What no other GPU, or part of one, has: 32 hexadecimal digits; empty when the driver does not say.
std::string gpu_uuid(int index);

// The GPUs that CUDA sees. Empty: none, or the driver does not start.
std::vector<ListedGpu> gpus_of_driver();

// The newest CUDA that the driver serves, 13000 for 13.0; nothing where there is no driver.
std::optional<int> cuda_of_driver();

}  // namespace longhaul
