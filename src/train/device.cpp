#include "longhaul/train/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// Nothing links libtorch_cuda.so, which wants a dozen CUDA libraries, so that one program runs with and without them.
// It is loaded here, when a GPU is asked for; its operators then register themselves. Returns the reason of a failure.
std::string load_cuda() {
#ifndef LONGHAUL_HAS_CUDA
  return "this build has no CUDA code: build where a CUDA toolkit is found (nvcc on PATH)";
#else
  if (!std::filesystem::exists("/dev/nvidiactl")) return "this machine has no NVIDIA driver";
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return fmt::format("LibTorch's CUDA library does not load: {}", dlerror());
  }
  if (!at::hasCUDA() || at::globalContext().getNumGPUs() == 0) return "no GPU is visible (is CUDA_VISIBLE_DEVICES empty?)";
  return {};
#endif
}

}  // namespace

c10::Device resolve_device(DeviceChoice choice) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (choice == DeviceChoice::cpu) return cpu;
  const std::string reason = load_cuda();
  if (reason.empty()) return c10::Device(c10::DeviceType::CUDA, 0);
  if (choice == DeviceChoice::automatic) return cpu;
  throw UserError("trainer.device=cuda, but {}. Use trainer.device=cpu, or see `llm-pretrain doctor`", reason);
}

}  // namespace longhaul
