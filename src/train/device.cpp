#include "longhaul/train/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "longhaul/core/error.h"
#include "longhaul/ops/device.h"
#include "train/memory.h"

namespace longhaul {

c10::Device resolve_device(DeviceChoice choice, int64_t index) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (choice == DeviceChoice::cpu) return cpu;
  const std::string& problem = ops::cuda_problem();
  if (problem.empty()) {
    prefer_expandable_segments();
    // Where a launcher shows each rank its own GPU alone, that is number 0 for all of them.
    const int64_t visible = c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount();
    return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index % visible));
  }
  if (choice == DeviceChoice::automatic) return cpu;
  throw UserError("no CUDA device can be used. {} `llm-pretrain doctor` shows what there is", problem);
}

}  // namespace longhaul
