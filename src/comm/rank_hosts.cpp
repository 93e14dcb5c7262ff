#include "longhaul/comm/rank_hosts.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "longhaul/comm/exchange.h"

namespace longhaul::comm {
namespace {

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

RankHosts::RankHosts(Communicator* ranks)
    : RankHosts(all_gather_text(ranks, host_name()), ranks != nullptr ? ranks->rank() : 0) {}

RankHosts::RankHosts(std::vector<std::string> names, int rank)
    : names_(std::move(names)),
      local_rank_(static_cast<int>(std::count(names_.begin(), names_.begin() + rank, names_[rank]))),
      local_ranks_(static_cast<int>(std::ranges::count(names_, names_[rank]))),
      machines_(static_cast<int>(std::set(names_.begin(), names_.end()).size())) {}

}  // namespace longhaul::comm
