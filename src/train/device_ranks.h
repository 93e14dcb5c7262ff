// How the ranks of a run exchange tensors: those in host memory through the communicator that brought the ranks
// together, those on GPUs through NCCL.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/comm/rank_hosts.h"

namespace longhaul {

// UserError where two ranks of a machine have the same GPU (`uuids`, by rank; empty: not known), unless `may_share`:
// NCCL refuses that in words that help nobody.
void refuse_shared_gpus(const std::vector<std::string>& uuids, const std::vector<std::string>& hosts, bool may_share);

class DeviceRanks {
 public:
  // A collective call. `host` outlives this; null: one process. `timeout` of every operation; 0: none.
  DeviceRanks(comm::Communicator* host, const comm::RankHosts& hosts, c10::Device device,
              std::chrono::milliseconds timeout);

  comm::Communicator* get() const { return nccl_ ? nccl_.get() : host_; }

 private:
  comm::Communicator* host_;
  std::unique_ptr<comm::Communicator> nccl_;
};

}  // namespace longhaul
