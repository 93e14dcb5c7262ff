#include <array>
#include <atomic>
#include <cstring>
#include <mutex>

#include "ops/cuda_elements.cuh"
#include "ops/device_faults.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kMaxDevices = 64, kThreads = 256;

// Of each device, from its first check on and for ever: kernels may still write when the program ends.
std::array<std::atomic<FaultSlot*>, kMaxDevices> slots;
std::mutex slots_mutex;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw_launch_error("check_indices", cudaGetErrorString(error));
}

FaultSlot* slot_of_current_device() {
  int device = 0;
  check(cudaGetDevice(&device));
  std::atomic<FaultSlot*>& slot = slots.at(device);
  if (FaultSlot* const known = slot.load(std::memory_order_acquire)) return known;
  const std::lock_guard lock(slots_mutex);
  if (FaultSlot* const known = slot.load(std::memory_order_acquire)) return known;
  void* memory = nullptr;  // under unified addressing the device sees it at the same address
  check(cudaHostAlloc(&memory, sizeof(FaultSlot), cudaHostAllocMapped | cudaHostAllocPortable));
  std::memset(memory, 0, sizeof(FaultSlot));
  slot.store(static_cast<FaultSlot*>(memory), std::memory_order_release);
  return static_cast<FaultSlot*>(memory);
}

__device__ void report(FaultSlot* slot, Fault kind, int64_t place, int64_t value, int64_t limit) {
  if (atomicExch(&slot->claimed, 1) != 0) return;
  volatile FaultReport* const report = &slot->report;
  report->place = place;
  report->value = value;
  report->limit = limit;
  __threadfence_system();  // the host may read the rest once it sees the kind
  report->kind = kind;
}

__global__ void check_indices_kernel(const IndexCheck a, FaultSlot* slot) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < a.count; i += stride) {
    const int64_t value = a.values[i];
    if (value >= 0 && value < a.limit) continue;
    if (a.weights && a.weights[i] == 0) continue;
    report(slot, a.kind, i, value, a.limit);
  }
}

__global__ void check_unit_kernel(const UnitCheck a, FaultSlot* slot) {
  const double value = *a.value;
  if (value != 1.0) report(slot, Fault::unit_gradient, 0, __double_as_longlong(value), 0);
}

}  // namespace

void check_indices(const IndexCheck& a, void* stream) {
  const int64_t wanted = (a.count + kThreads - 1) / kThreads;
  const unsigned grid = static_cast<unsigned>(wanted < 1024 ? wanted : 1024);
  start("check_indices", check_indices_kernel, grid, kThreads, 0, stream, a, slot_of_current_device());
}

void check_unit(const UnitCheck& a, void* stream) {
  start("check_unit", check_unit_kernel, 1, 1, 0, stream, a, slot_of_current_device());
}

void throw_faults() {
  for (std::atomic<FaultSlot*>& entry : slots) {
    FaultSlot* const slot = entry.load(std::memory_order_acquire);
    if (!slot) continue;
    std::atomic_ref<Fault> kind(slot->report.kind);
    if (kind.load(std::memory_order_acquire) == Fault::none) continue;
    const FaultReport report = slot->report;
    kind.store(Fault::none, std::memory_order_relaxed);
    std::atomic_ref<int>(slot->claimed).store(0, std::memory_order_release);
    throw_fault(report);
  }
}

}  // namespace longhaul::ops::cuda
