#include "train/numa.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "unit/temp_folder.h"

namespace longhaul {
namespace {

using Processors = std::vector<int>;

// A machine of two nodes whose GPU 0000:3b:00.0 is on the second; 0000:01:00.0 does not say where it is.
class NumaTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write("bus/pci/devices/0000:3b:00.0/numa_node", "1\n");
    write("bus/pci/devices/0000:01:00.0/numa_node", "-1\n");
    write("devices/system/node/node0/cpulist", "0-3,8-11\n");
    write("devices/system/node/node1/cpulist", "4-7,12\n");
    write("devices/system/node/node2/cpulist", "0\n");
    write("devices/system/node/node3/cpulist", "100000\n");
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_plainly(folder_ / name, text);
  }
};

TEST_F(NumaTest, FindsTheNodeOfADevice) {
  EXPECT_EQ(numa_node_of("0000:3b:00.0", folder_), 1);
  EXPECT_EQ(numa_node_of("0000:3B:00.0", folder_), 1);
  EXPECT_EQ(numa_node_of("00000000:3B:00.0", folder_), 1) << "as CUDA and nvidia-smi write it";
  EXPECT_EQ(numa_node_of("0000:01:00.0", folder_), std::nullopt);
  EXPECT_EQ(numa_node_of("0000:99:00.0", folder_), std::nullopt);
}

TEST_F(NumaTest, ListsProcessors) {
  EXPECT_EQ(processors_of_node(0, folder_), (Processors{0, 1, 2, 3, 8, 9, 10, 11}));
  EXPECT_EQ(processors_of_node(1, folder_), (Processors{4, 5, 6, 7, 12}));
  EXPECT_EQ(processors_of_node(9, folder_), Processors{});
  EXPECT_EQ(parse_processor_list(""), Processors{});
  EXPECT_EQ(parse_processor_list("5\n"), Processors{5});
  EXPECT_EQ(parse_processor_list("1,x,3-"), Processors{1});
}

TEST_F(NumaTest, StaysThere) {
  std::thread([&] {  // whose affinity ends with it
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    EXPECT_EQ(stay_on_node(3, folder_), 0) << "there is no such processor";
    EXPECT_EQ(stay_on_node(9, folder_), 0);
    sched_getaffinity(0, sizeof after, &after);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
    if (!CPU_ISSET(0, &before)) GTEST_SKIP() << "processor 0 is not ours";
    EXPECT_EQ(stay_on_node(2, folder_), 1);
    sched_getaffinity(0, sizeof after, &after);
    EXPECT_EQ(CPU_COUNT(&after), 1);
    EXPECT_TRUE(CPU_ISSET(0, &after));
  })
      .join();
}

}  // namespace
}  // namespace longhaul
