#include "train/device_ranks.h"

#include <algorithm>
#include <string>

#include "longhaul/comm/exchange.h"
#include "longhaul/core/error.h"
#ifdef LONGHAUL_HAS_CUDA
#include "longhaul/comm/nccl_communicator.h"
#include "ops/dispatch.h"
#endif

namespace longhaul {

int64_t rank_on_this_machine(comm::Communicator* host) {
  if (host == nullptr) return 0;
  const auto hosts = comm::hosts_of(host);
  return std::count(hosts.begin(), hosts.begin() + host->rank(), hosts[host->rank()]);
}

DeviceRanks::DeviceRanks(comm::Communicator* host, c10::Device device, std::chrono::milliseconds timeout) : host_(host) {
  if (host == nullptr) return;
  host->set_timeout(timeout);
  if (!device.is_cuda()) return;
#ifdef LONGHAUL_HAS_CUDA
  nccl_ = comm::nccl_communicator(*host, {.device = device.index(),
                                          .current_stream = [device] { return ops::current_cuda_stream(device); },
                                          .timeout = timeout});
#else
  LONGHAUL_CHECK(false, "a CUDA device in a build without CUDA");
#endif
}

}  // namespace longhaul
