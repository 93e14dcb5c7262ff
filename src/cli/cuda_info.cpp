// What the NVIDIA driver says, asked through its own library, which is loaded only here: the answer is the
// same in a build with CUDA and in one without, and on a machine without a driver nothing fails.
#include <dlfcn.h>
#include <fmt/core.h>

#include "longhaul/core/progress.h"
#include "system_info.h"

namespace longhaul::cli {
namespace {

constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…

template <typename Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

CudaInfo cuda_info() {
  CudaInfo info;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    info.problem = "no NVIDIA driver (libcuda.so.1 was not found)";
    return info;
  }
  info.driver_found = true;
  const auto init = symbol<int (*)(unsigned)>(library, "cuInit");
  const auto version = symbol<int (*)(int*)>(library, "cuDriverGetVersion");
  const auto count_devices = symbol<int (*)(int*)>(library, "cuDeviceGetCount");
  const auto device_name = symbol<int (*)(char*, int, int)>(library, "cuDeviceGetName");
  const auto device_memory = symbol<int (*)(size_t*, int)>(library, "cuDeviceTotalMem_v2");
  const auto attribute = symbol<int (*)(int*, int, int)>(library, "cuDeviceGetAttribute");
  if (!init || !version || !count_devices || !device_name || !device_memory || !attribute) {
    info.problem = "the NVIDIA driver library lacks functions; reinstall the driver";
    return info;
  }
  version(&info.driver_version);
  if (const int code = init(0); code != 0) {
    info.problem =
        fmt::format("the NVIDIA driver does not start (cuInit gives {}); look at nvidia-smi", code);
    return info;
  }
  int count = 0;
  count_devices(&count);
  for (int device = 0; device < count; ++device) {
    char name[128] = "";
    size_t bytes = 0;
    int major = 0, minor = 0;
    device_name(name, sizeof name, device);
    device_memory(&bytes, device);
    attribute(&major, kMajor, device);
    attribute(&minor, kMinor, device);
    info.gpus.push_back(
        fmt::format("{}, {}, sm_{}{}", name, format_bytes(static_cast<double>(bytes)), major, minor));
  }
  if (count == 0) info.problem = "the NVIDIA driver sees no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES";
  return info;
}

}  // namespace longhaul::cli
