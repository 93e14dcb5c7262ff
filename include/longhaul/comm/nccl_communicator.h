// Ranks with a GPU each, over NCCL: only in builds with CUDA. NCCL's library is loaded when the first communicator is
// made, so that the same program runs on machines without it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

struct NcclOptions {
  int device = 0;  // the CUDA device of this rank: each rank of a group has its own
  // The CUDA stream (a cudaStream_t) that the calling thread works on: operations start after what it holds, and `wait`
  // makes it wait.
  std::function<void*()> current_stream = [] { return nullptr; };
  // How long an operation may take from its call on, what stands before it on the GPU included. Zero: for ever.
  std::chrono::milliseconds timeout{0};
};

// The communicator of all ranks of `host`, in the same order; a collective call. `host` carries NCCL's unique id, and
// tells the others of a failure; it must outlive the result.
//
// Failures show up late, as the host does not wait for the GPU: a watchdog thread sees errors and time-outs, makes
// waiting GPU kernels end, and from then on every call throws CommunicationError. What the GPU computes after that is
// garbage; so read nothing that matters from it without a `barrier`, or another call, first.
// Throws EnvironmentError where NCCL or a GPU is missing.
std::unique_ptr<Communicator> nccl_communicator(Communicator& host, const NcclOptions& options);

// This machine's NCCL, 22809 for 2.28.9. Throws EnvironmentError where there is none.
int nccl_version();
// Where its library was found. Throws likewise.
std::string nccl_path();

}  // namespace longhaul::comm
