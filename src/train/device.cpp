#include "longhaul/train/device.h"

#include "longhaul/core/error.h"
#include "longhaul/ops/device.h"

namespace longhaul {

c10::Device resolve_device(DeviceChoice choice, int64_t index) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (choice == DeviceChoice::cpu) return cpu;
  const std::string& problem = ops::cuda_problem();
  if (problem.empty()) return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
  if (choice == DeviceChoice::automatic) return cpu;
  throw UserError("no CUDA device can be used. {} `llm-pretrain doctor` shows what there is", problem);
}

}  // namespace longhaul
