#include "train/gpu_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace longhaul {
namespace {

// A function of NVIDIA's driver, which is started; null where there is none.
template <typename Function>
Function* driver_function(const char* name) {
  static void* const library = [] {
    void* const found = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const auto init = found != nullptr ? reinterpret_cast<int (*)(unsigned)>(dlsym(found, "cuInit")) : nullptr;
    return init != nullptr && init(0) == 0 ? found : nullptr;
  }();
  return library != nullptr ? reinterpret_cast<Function*>(dlsym(library, name)) : nullptr;
}

}  // namespace

std::string pci_bus_id(int index) {
  const auto bus_id = driver_function<int(char*, int, int)>("cuDeviceGetPCIBusId");
  char name[32] = "";
  return bus_id != nullptr && bus_id(name, sizeof name, index) == 0 ? name : "";
}

std::string gpu_uuid(int index) {
  const auto uuid = driver_function<int(unsigned char*, int)>("cuDeviceGetUuid_v2");
  unsigned char bytes[16] = {};
  if (uuid == nullptr || uuid(bytes, index) != 0) return {};
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace longhaul
