#include "train/gpu_driver.h"

#include <fmt/format.h>

#include "longhaul/core/shared_library.h"

namespace longhaul {
namespace {

constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…

const SharedLibrary& driver() {
  static const SharedLibrary library("libcuda.so.1");
  return library;
}

// A function of the driver, which is started; null where there is none.
template <typename Function>
Function* driver_function(const char* name) {
  static const bool started = [] {
    int (*init)(unsigned) = nullptr;
    driver().find("cuInit", init);
    return init != nullptr && init(0) == 0;
  }();
  Function* function = nullptr;
  if (started) driver().find(name, function);
  return function;
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

std::vector<ListedGpu> gpus_of_driver() {
  const auto count_devices = driver_function<int(int*)>("cuDeviceGetCount");
  const auto name_of = driver_function<int(char*, int, int)>("cuDeviceGetName");
  const auto memory_of = driver_function<int(size_t*, int)>("cuDeviceTotalMem_v2");
  const auto attribute = driver_function<int(int*, int, int)>("cuDeviceGetAttribute");
  int count = 0;
  if (!count_devices || !name_of || !memory_of || !attribute || count_devices(&count) != 0) return {};
  std::vector<ListedGpu> gpus;
  for (int device = 0; device < count; ++device) {
    char name[128] = "";
    size_t bytes = 0;
    ListedGpu gpu;
    name_of(name, sizeof name, device);
    memory_of(&bytes, device);
    attribute(&gpu.major, kMajor, device);
    attribute(&gpu.minor, kMinor, device);
    gpu.name = name;
    gpu.memory = static_cast<double>(bytes);
    gpu.pci = pci_bus_id(device);
    gpus.push_back(gpu);
  }
  return gpus;
}

std::optional<int> cuda_of_driver() {
  int (*version_of)(int*) = nullptr;
  driver().find("cuDriverGetVersion", version_of);
  int version = 0;
  if (version_of == nullptr || version_of(&version) != 0) return std::nullopt;
  return version;
}

}  // namespace longhaul
