#include "train/device_ranks.h"

#include <cstdlib>
#include <string>

#include "longhaul/comm/exchange.h"
#include "longhaul/core/error.h"
#include "train/gpu_driver.h"
#ifdef LONGHAUL_HAS_CUDA
#include "longhaul/comm/nccl_communicator.h"
#include "ops/dispatch.h"
#endif

namespace longhaul {

void refuse_shared_gpus(const std::vector<std::string>& uuids, const std::vector<std::string>& hosts, bool may_share) {
  if (may_share) return;
  for (size_t rank = 0; rank < uuids.size(); ++rank) {
    for (size_t other = 0; other < rank; ++other) {
      if (uuids[rank].empty() || uuids[rank] != uuids[other] || hosts[rank] != hosts[other]) continue;
      throw UserError(
          "ranks {} and {} have the same GPU of {}: start no more ranks on a machine than it has GPUs (or than "
          "CUDA_VISIBLE_DEVICES names). LONGHAUL_SHARE_GPUS=1 lets them share it, for tests",
          other, rank, hosts[rank]);
    }
  }
}

DeviceRanks::DeviceRanks(comm::Communicator* host, const comm::RankHosts& hosts, c10::Device device,
                         std::chrono::milliseconds timeout)
    : host_(host) {
  if (host == nullptr) return;
  host->set_timeout(timeout);
  if (!device.is_cuda()) return;
  refuse_shared_gpus(comm::all_gather_text(host, gpu_uuid(device.index())), hosts.names(),
                     std::getenv("LONGHAUL_SHARE_GPUS") != nullptr);
#ifdef LONGHAUL_HAS_CUDA
  nccl_ = comm::nccl_communicator(*host, {.device = device.index(),
                                          .current_stream = [device] { return ops::current_cuda_stream(device); },
                                          .timeout = timeout});
#else
  LONGHAUL_CHECK(false, "a CUDA device in a build without CUDA");
#endif
}

}  // namespace longhaul
