#include "longhaul/core/system_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "unit/temp_folder.h"

namespace longhaul {
namespace {

constexpr int64_t kMiB = 1 << 20;

// A machine of 1000 MiB of which 800 are free.
class SystemMemoryTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write("proc/meminfo", "MemTotal:       1024000 kB\nMemFree:  9 kB\nMemAvailable:    819200 kB\n");
  }

  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write(const std::string& name, int64_t number) { write(name, std::to_string(number)); }
  SystemMemory read() const { return system_memory(folder_); }
};

TEST_F(SystemMemoryTest, WithoutGroupsIsTheMachines) {
  const SystemMemory memory = read();
  EXPECT_EQ(memory.total, 1000 * kMiB);
  EXPECT_EQ(memory.available, 800 * kMiB);
  EXPECT_EQ(memory.limit, 0);
}

TEST_F(SystemMemoryTest, AJobsLimitCountsWithoutItsFileCache) {
  write("proc/self/cgroup", "0::/job/step\n");
  write("sys/fs/cgroup/job/memory.max", 500 * kMiB);
  write("sys/fs/cgroup/job/memory.current", 300 * kMiB);
  write("sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 104857600\nactive_file 52428800\n");
  write("sys/fs/cgroup/job/step/memory.max", "max\n");
  const SystemMemory memory = read();
  EXPECT_EQ(memory.limit, 500 * kMiB);
  EXPECT_EQ(memory.available, (500 - 300 + 100 + 50) * kMiB);
}

TEST_F(SystemMemoryTest, TheFirstInterfaceIsHeeded) {
  write("proc/self/cgroup", "5:cpu:/\n4:memory:/job\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", 400 * kMiB);
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", 399 * kMiB);
  const SystemMemory memory = read();
  EXPECT_EQ(memory.limit, 400 * kMiB);
  EXPECT_EQ(memory.available, 1 * kMiB);
}

TEST_F(SystemMemoryTest, AContainerSeesItsLimitAtTheRoot) {
  write("proc/self/cgroup", "0::/docker/not/seen/here\n");
  write("sys/fs/cgroup/memory.max", 300 * kMiB);
  write("sys/fs/cgroup/memory.current", 310 * kMiB);
  EXPECT_EQ(read().limit, 300 * kMiB);
  EXPECT_EQ(read().available, 0);
}

}  // namespace
}  // namespace longhaul
