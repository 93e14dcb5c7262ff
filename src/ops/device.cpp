#include "longhaul/ops/device.h"

#include <c10/core/DeviceType.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

namespace longhaul::ops {
namespace {

#ifdef LONGHAUL_HAS_CUDA
std::string find_problem() {
  // LibTorch's cuBLAS repeats its results only with a workspace of fixed size; the program's user may have set another.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  // Streams have hardware queues of their own: an exchange that waits for other ranks holds up nothing else.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);
  // It registers its operators and its device as it loads. It lies beside libtorch_cpu.so.
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    return fmt::format(
        "LibTorch's CUDA library does not load ({}): scripts/setup --gpu puts NVIDIA's libraries beside LibTorch; for another LibTorch "
        "install the nvidia-* wheels that its torch wheel asks for",
        dlerror());
  }
  if (!c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA) ||
      c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount() == 0) {
    return "LibTorch finds no CUDA device: check what `nvidia-smi` lists, that its driver is 580 or later (CUDA 13), and what "
           "CUDA_VISIBLE_DEVICES leaves of that";
  }
  return {};
}
#else
std::string find_problem() {
  return "this build has no CUDA code: run scripts/setup --gpu, which fetches a CUDA compiler where there is none, and scripts/build";
}
#endif

}  // namespace

const std::string& cuda_problem() {
  static const std::string problem = find_problem();
  return problem;
}

}  // namespace longhaul::ops
