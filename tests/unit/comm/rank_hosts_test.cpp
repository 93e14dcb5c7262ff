#include "longhaul/comm/rank_hosts.h"

#include <gtest/gtest.h>

namespace longhaul::comm {
namespace {

TEST(RankHosts, CountsTheRanksOfAMachine) {
  const std::vector<std::string> names{"b", "a", "b", "c", "b"};
  const int local_ranks[] = {0, 0, 1, 0, 2}, on_machine[] = {3, 1, 3, 1, 3};
  for (int rank = 0; rank < 5; ++rank) {
    const RankHosts hosts(names, rank);
    EXPECT_EQ(hosts.local_rank(), local_ranks[rank]) << rank;
    EXPECT_EQ(hosts.local_ranks(), on_machine[rank]) << rank;
    EXPECT_EQ(hosts.machines(), 3);
  }
}

TEST(RankHosts, OneProcessIsAlone) {
  const RankHosts hosts;
  EXPECT_EQ(hosts.names().size(), 1U);
  EXPECT_EQ(hosts.local_rank(), 0);
  EXPECT_EQ(hosts.local_ranks(), 1);
  EXPECT_EQ(hosts.machines(), 1);
}

}  // namespace
}  // namespace longhaul::comm
