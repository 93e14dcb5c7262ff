#include "longhaul/train/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "longhaul/core/error.h"
#include "longhaul/ops/device.h"
#include "train/gpu_list.h"
#include "train/memory.h"

namespace longhaul {

c10::Device resolve_device(DeviceChoice choice, int64_t index, std::string_view cpu_choice) {
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
  const GpuList list = list_gpus();  // a machine without a driver needs no library either
  throw UserError("no GPU can be used: {}. For the CPU choose {}; `llm-pretrain doctor` shows what there is",
                  list.gpus.empty() ? list.problem : problem, cpu_choice);
}

}  // namespace longhaul
