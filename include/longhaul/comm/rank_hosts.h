// Which ranks share a machine.
#pragma once

#include <string>
#include <vector>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

class RankHosts {
 public:
  // A collective call over `ranks`, in which each tells its host name; null: this process alone.
  explicit RankHosts(Communicator* ranks = nullptr);
  // As seen by `rank`; `names` are the hosts of all.
  RankHosts(std::vector<std::string> names, int rank);

  const std::vector<std::string>& names() const { return names_; }  // by rank
  int local_rank() const { return local_rank_; }                    // this rank's number among those on its machine
  int local_ranks() const { return local_ranks_; }                  // on this rank's machine
  int machines() const { return machines_; }

 private:
  std::vector<std::string> names_;
  int local_rank_, local_ranks_, machines_;
};

}  // namespace longhaul::comm
