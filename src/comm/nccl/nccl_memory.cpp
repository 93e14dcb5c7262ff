#include "comm/nccl/nccl_memory.h"

#include <cuda_runtime_api.h>

#include <exception>
#include <map>
#include <utility>

#include "longhaul/comm/error.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

// Of NCCL's headers from 2.27 on.
constexpr int kSymmetric = 1;              // NCCL_WIN_COLL_SYMMETRIC
constexpr size_t kWindowAlignment = 4096;  // NCCL_WIN_REQUIRED_ALIGNMENT

}  // namespace

// Shared with the memory that was taken, each of which may end before or after the group.
class NcclMemory::Registrations {
 public:
  Registrations(const NcclLibrary& nccl, ncclComm_t comm, Caller caller)
      : nccl_(nccl), comm_(comm), caller_(std::move(caller)) {
    const bool windows = nccl.window_register != nullptr && nccl.window_deregister != nullptr;
    const bool buffers = nccl.comm_register != nullptr && nccl.comm_deregister != nullptr;
    if (nccl.mem_alloc == nullptr || nccl.mem_free == nullptr || (!windows && !buffers)) {
      throw EnvironmentError(
          "parallel.register_buffers wants NCCL 2.19 or later, this machine's has version {}: install a newer one, or set "
          "parallel.register_buffers=false",
          nccl.version);
    }
    windows_ = windows;
  }

  void* take(size_t bytes) {
    bytes = (bytes + kWindowAlignment - 1) / kWindowAlignment * kWindowAlignment;
    void* memory = nullptr;
    caller_("taking of memory", [&](const NcclLibrary& nccl) { return nccl.mem_alloc(&memory, bytes); });
    void* handle = nullptr;  // filled when the call is taken in; null where NCCL sees no use in a registration
    try {
      caller_("registration of memory", [&](const NcclLibrary& nccl) {
        return windows_ ? nccl.window_register(comm_, memory, bytes, &handle, kSymmetric)
                        : nccl.comm_register(comm_, memory, bytes, &handle);
      });
    } catch (...) {
      nccl_.mem_free(memory);
      throw;
    }
    if (handle != nullptr) handles_.emplace(memory, handle);
    return memory;
  }

  void release(void* memory) {
    // A rank that ends with an error must not wait for what others will never join before it has told them. The memory
    // goes with the process.
    if (std::uncaught_exceptions() > 0) return;
    cudaDeviceSynchronize();  // kernels may be at work on it
    if (const auto found = handles_.extract(memory)) end(found.mapped());
    nccl_.mem_free(memory);
  }

  // The group ends.
  void end_all() {
    const auto handles = std::exchange(handles_, {});
    if (std::uncaught_exceptions() > 0) return;  // the group is aborted, and the other ranks may not come
    for (const auto& [memory, handle] : handles) end(handle);
  }

 private:
  void end(void* handle) {
    try {
      caller_("end of a registration", [&](const NcclLibrary& nccl) {
        return windows_ ? nccl.window_deregister(comm_, handle) : nccl.comm_deregister(comm_, handle);
      });
    } catch (const CommunicationError& error) {  // the group is aborted, and its registrations with it
      if (!std::exchange(warned_, true)) log::warning_here("{}", error.what());
    }
  }

  const NcclLibrary& nccl_;
  const ncclComm_t comm_;
  const Caller caller_;
  bool windows_ = false, warned_ = false;
  std::map<void*, void*> handles_;  // of the memory that is registered, by its address
};

NcclMemory::NcclMemory(const NcclLibrary& nccl, ncclComm_t comm, Caller caller)
    : registrations_(std::make_shared<Registrations>(nccl, comm, std::move(caller))) {}

NcclMemory::~NcclMemory() {
  registrations_->end_all();
}

std::shared_ptr<void> NcclMemory::take(size_t bytes) {
  return {registrations_->take(bytes),
          [registrations = registrations_](void* memory) { registrations->release(memory); }};
}

}  // namespace longhaul::comm
