#include "comm/nccl/nccl_library.h"

#include <cstdlib>

#include "longhaul/core/error.h"
#include "longhaul/core/shared_library.h"

namespace longhaul::comm {
namespace {

constexpr int kOldest = NCCL_VERSION(2, 18, 0);  // the first with ncclCommSplit

constexpr const char* kRemedy =
    "Install NCCL for your CUDA version (the package libnccl2, or NVIDIA's wheel nvidia-nccl-cu13) where the dynamic "
    "loader finds libnccl.so.2, or add its folder to LD_LIBRARY_PATH.";

NcclLibrary open() {
  const SharedLibrary library("libnccl.so.2");
  // Several groups' operations run in the order in which the host starts them: two ranks that ran those of two groups
  // in different orders would wait for each other (NCCL 2.26 and later).
  setenv("NCCL_LAUNCH_ORDER_IMPLICIT", "1", /*overwrite=*/0);
  if (!library.loaded())
    throw EnvironmentError("GPUs exchange data over NCCL, which cannot be loaded: {}. {}", library.problem(), kRemedy);
  const auto load = [&](const char* name, auto*& function) { library.require(name, function, kRemedy); };
  NcclLibrary nccl{};
  nccl.path = library.path();
  load("ncclGetVersion", nccl.get_version);
  int version = 0;
  if (nccl.get_version(&version) != ncclSuccess || version < kOldest) {
    throw EnvironmentError("this machine's NCCL has version {}, {} is the oldest that can be used. {}", version,
                           kOldest, kRemedy);
  }
  nccl.version = version;
  load("ncclGetErrorString", nccl.error_string);
  load("ncclGetLastError", nccl.last_error);
  load("ncclGetUniqueId", nccl.unique_id);
  load("ncclCommInitRankConfig", nccl.init);
  load("ncclCommSplit", nccl.split);
  load("ncclCommFinalize", nccl.finalize);
  load("ncclCommDestroy", nccl.destroy);
  load("ncclCommAbort", nccl.abort);
  load("ncclCommGetAsyncError", nccl.async_error);
  load("ncclCommCount", nccl.count);
  load("ncclCommUserRank", nccl.user_rank);
  load("ncclAllReduce", nccl.all_reduce);
  load("ncclReduceScatter", nccl.reduce_scatter);
  load("ncclAllGather", nccl.all_gather);
  load("ncclBroadcast", nccl.broadcast);
  load("ncclSend", nccl.send);
  load("ncclRecv", nccl.receive);
  load("ncclGroupStart", nccl.group_start);
  load("ncclGroupEnd", nccl.group_end);
  library.find("ncclMemAlloc", nccl.mem_alloc);
  library.find("ncclMemFree", nccl.mem_free);
  library.find("ncclCommRegister", nccl.comm_register);
  library.find("ncclCommDeregister", nccl.comm_deregister);
  library.find("ncclCommWindowRegister", nccl.window_register);
  library.find("ncclCommWindowDeregister", nccl.window_deregister);
  return nccl;
}

}  // namespace

const NcclLibrary& NcclLibrary::get() {
  static const NcclLibrary library = open();
  return library;
}

}  // namespace longhaul::comm
