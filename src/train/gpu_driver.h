#pragma once

#include <string>

namespace longhaul {

// Where GPU `index` (as CUDA counts) is plugged in, as "0000:3b:00.0"; empty when the driver does not say.
std::string pci_bus_id(int index);

// What no other GPU, or part of one, has: 32 hexadecimal digits; empty when the driver does not say.
std::string gpu_uuid(int index);

}  // namespace longhaul
