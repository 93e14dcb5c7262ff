#include "comm/nccl/nccl_library.h"

#include <dlfcn.h>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

constexpr int kOldest = NCCL_VERSION(2, 18, 0);  // the first with ncclCommSplit

constexpr const char* kRemedy =
    "Install NCCL for your CUDA version (the package libnccl2, or NVIDIA's wheel nvidia-nccl-cu13) where the dynamic "
    "loader finds libnccl.so.2, or add its folder to LD_LIBRARY_PATH.";

template <typename Function>
void load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw EnvironmentError("this machine's libnccl.so.2 has no {}. {}", name, kRemedy);
}

NcclLibrary open() {
  void* const library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw EnvironmentError("GPUs exchange data over NCCL, which cannot be loaded: {}. {}", dlerror(), kRemedy);
  NcclLibrary nccl{};
  load(library, "ncclGetVersion", nccl.get_version);
  int version = 0;
  if (nccl.get_version(&version) != ncclSuccess || version < kOldest) {
    throw EnvironmentError("this machine's NCCL has version {}, {} is the oldest that can be used. {}", version, kOldest, kRemedy);
  }
  nccl.version = version;
  load(library, "ncclGetErrorString", nccl.error_string);
  load(library, "ncclGetLastError", nccl.last_error);
  load(library, "ncclGetUniqueId", nccl.unique_id);
  load(library, "ncclCommInitRankConfig", nccl.init);
  load(library, "ncclCommSplit", nccl.split);
  load(library, "ncclCommFinalize", nccl.finalize);
  load(library, "ncclCommDestroy", nccl.destroy);
  load(library, "ncclCommAbort", nccl.abort);
  load(library, "ncclCommGetAsyncError", nccl.async_error);
  load(library, "ncclCommCount", nccl.count);
  load(library, "ncclCommUserRank", nccl.user_rank);
  load(library, "ncclAllReduce", nccl.all_reduce);
  load(library, "ncclReduceScatter", nccl.reduce_scatter);
  load(library, "ncclAllGather", nccl.all_gather);
  load(library, "ncclBroadcast", nccl.broadcast);
  load(library, "ncclSend", nccl.send);
  load(library, "ncclRecv", nccl.receive);
  load(library, "ncclGroupStart", nccl.group_start);
  load(library, "ncclGroupEnd", nccl.group_end);
  return nccl;
}

}  // namespace

const NcclLibrary& NcclLibrary::get() {
  static const NcclLibrary library = open();
  return library;
}

}  // namespace longhaul::comm
