// Memory that a group's operations read and write in place: NCCL's own, registered with the group. As a symmetric
// window where the library has them (2.27 and later), which lets NVLink's and the switches' own reductions work on it,
// else as a user buffer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "comm/nccl/nccl_library.h"

namespace longhaul::comm {

class NcclMemory {
 public:
  using Call = std::function<ncclResult_t(const NcclLibrary& nccl)>;
  // Makes a call to NCCL and waits until it is taken in; throws CommunicationError (NcclJob::call).
  using Caller = std::function<void(const char* what, const Call& call)>;

  // Of the group `comm`, which outlives it.
  NcclMemory(const NcclLibrary& nccl, ncclComm_t comm, Caller caller);
  // Ends all registrations. What was taken may live on.
  ~NcclMemory();
  NcclMemory(const NcclMemory&) = delete;
  NcclMemory& operator=(const NcclMemory&) = delete;

  // A collective call, of the same size on all ranks. EnvironmentError where NCCL is too old.
  std::shared_ptr<void> take(size_t bytes);

 private:
  class Registrations;
  std::shared_ptr<Registrations> registrations_;
};

}  // namespace longhaul::comm
