#include "train/device_ranks.h"

#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Texts = std::vector<std::string>;

TEST(DeviceRanks, TwoRanksOnOneGpuAreRefusedByName) {
  const Texts hosts{"a", "a", "b", "b"};
  EXPECT_NO_THROW(refuse_shared_gpus({"1", "2", "1", "2"}, hosts, false))
      << "other machines' GPUs are others, whatever their names";
  EXPECT_NO_THROW(refuse_shared_gpus({"", "", "", ""}, hosts, false)) << "not known";
  EXPECT_NO_THROW(refuse_shared_gpus({"1", "1", "1", "1"}, hosts, true));
  const std::string error = message_of<UserError>([&] { refuse_shared_gpus({"1", "2", "3", "3"}, hosts, false); });
  EXPECT_CONTAINS(error, "ranks 2 and 3 have the same GPU of b");
  EXPECT_CONTAINS(error, "LONGHAUL_SHARE_GPUS");
}

}  // namespace
}  // namespace longhaul
