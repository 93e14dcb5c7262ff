#include "train/memory.h"

#include <c10/core/AllocatorConfig.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>

#include <cstdlib>

#include "longhaul/core/system_memory.h"
#include "longhaul/ops/host_memory.h"

namespace longhaul {
namespace {

constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);

}  // namespace

int64_t peak_memory(c10::Device device) {
  if (!device.is_cpu())
    return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).allocated_bytes[kAll].peak;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

int64_t tensor_peak(c10::Device device) {
  if (device.is_cpu()) return ops::host_memory().tensors_peak;
  return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).requested_bytes[kAll].peak;
}

void reset_tensor_peak(c10::Device device) {
  device.is_cpu() ? ops::reset_host_memory_peak()
                  : c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

void prefer_expandable_segments() {
  if (std::getenv("PYTORCH_ALLOC_CONF") != nullptr || std::getenv("PYTORCH_CUDA_ALLOC_CONF") != nullptr) return;
  c10::CachingAllocator::setAllocatorSettings("expandable_segments:True");
}

int64_t free_memory(c10::Device device) {
  if (device.is_cpu()) return system_memory().available + ops::host_memory().kept;
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  const auto stats = allocator->getDeviceStats(device.index());
  const int64_t kept = stats.reserved_bytes[kAll].current - stats.allocated_bytes[kAll].current;
  return static_cast<int64_t>(allocator->getMemoryInfo(device.index()).first) + kept;
}

}  // namespace longhaul
