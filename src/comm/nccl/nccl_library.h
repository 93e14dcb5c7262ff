// NCCL's functions, found in libnccl.so.2 at run time.
#pragma once

#include <nccl.h>

#include <string>

namespace longhaul::comm {

struct NcclLibrary {
  // Loads the library on the first call. Throws EnvironmentError when it is missing or too old.
  static const NcclLibrary& get();

  std::string path;  // of its file
  int version;       // as NCCL_VERSION has it
  decltype(&ncclGetVersion) get_version;
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRankConfig) init;
  decltype(&ncclCommSplit) split;
  decltype(&ncclCommFinalize) finalize;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclCommCount) count;
  decltype(&ncclCommUserRank) user_rank;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) receive;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  // Null in versions before 2.19 (memory and registration) and 2.27 (windows). By hand: older headers lack them.
  ncclResult_t (*mem_alloc)(void** memory, size_t bytes);
  ncclResult_t (*mem_free)(void* memory);
  ncclResult_t (*comm_register)(ncclComm_t comm, void* memory, size_t bytes, void** registration);
  ncclResult_t (*comm_deregister)(ncclComm_t comm, void* registration);
  ncclResult_t (*window_register)(ncclComm_t comm, void* memory, size_t bytes, void** window, int flags);
  ncclResult_t (*window_deregister)(ncclComm_t comm, void* window);
};

}  // namespace longhaul::comm
