#include "train/gpu_list.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "train/gpu_driver.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

// With an nvidia-smi of ours, and no other.
class GpuListTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    path_ = std::getenv("PATH");
    setenv("PATH", (folder_.string() + ":/usr/bin:/bin").c_str(), 1);
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    FolderTest::TearDown();
  }
  void smi(const std::string& text) {
    write_plainly(folder_ / "nvidia-smi", "#!/bin/sh\n" + text);
    std::filesystem::permissions(folder_ / "nvidia-smi", std::filesystem::perms::owner_all);
  }
  std::string path_;
};

TEST_F(GpuListTest, ReadsWhatTheDriverSays) {
  smi("echo '580.65.06, 81559, 9.0, 00000000:19:00.0, NVIDIA H100 80GB HBM3'\n"
      "echo '580.65.06, 24564, 8.9, 00000000:3B:00.0, Somebody, Inc. GPU'\n");
  const GpuList list = list_gpus();
  EXPECT_EQ(list.problem, "");
  EXPECT_EQ(list.driver, "580.65.06");
  ASSERT_EQ(list.gpus.size(), 2U);
  EXPECT_EQ(list.gpus[0].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(list.gpus[0].memory, 81559.0 * 1024 * 1024);
  EXPECT_EQ(list.gpus[0].pci, "00000000:19:00.0");
  EXPECT_EQ(list.gpus[1].name, "Somebody, Inc. GPU");
  EXPECT_EQ(list.gpus[1].major, 8);
  EXPECT_EQ(list.gpus[1].minor, 9);
}

TEST_F(GpuListTest, SaysWhyThereIsNone) {
  smi("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18\n");
  EXPECT_CONTAINS(list_gpus().problem, "nvidia-smi fails");
  smi("exit 0\n");
  EXPECT_CONTAINS(list_gpus().problem, "sees no GPU");
  if (std::filesystem::exists("/usr/bin/nvidia-smi") || cuda_of_driver())
    GTEST_SKIP() << "this machine has an NVIDIA driver: its absence was not tested";
  std::filesystem::remove(folder_ / "nvidia-smi");
  EXPECT_CONTAINS(list_gpus().problem, "no NVIDIA driver");
}

TEST(GpuLinks, AreReadFromTheMatrix) {
  const std::string matrix =
      "\t\x1b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\x1b[0m\nGPU0\t X \tNV18\tSYS\tPIX\t0-47\nGPU1\tNV18\t X \tPHB\tNODE\t0-47\n"
      "GPU2\tSYS\tPHB\t X \tSYS\t0-47\nNIC0\tPIX\tNODE\tSYS\t X \n\nLegend:\n\n  X    = Self\n";
  EXPECT_EQ(links_of(matrix), "NVLink (NV18) and PCIe (PHB, SYS)");
  EXPECT_EQ(links_of("\tGPU0\tGPU1\nGPU0\t X \tNV4\nGPU1\tNV4\t X \n"), "NVLink (NV4)");
  EXPECT_EQ(links_of("\tGPU0\nGPU0\t X \t0-7\n"), "");
  EXPECT_EQ(links_of(""), "");
}

// As NVIDIA's guide to compatibility has it: machine code runs within its major version, that of "a" on its own version
// alone, and intermediate code on all that is newer.
TEST(GpuCode, RunsWhereItWasCompiledFor) {
  const std::string ours = "80,90a-real";
  EXPECT_TRUE(code_runs_on(ours, 8, 0));
  EXPECT_TRUE(code_runs_on(ours, 8, 9));
  EXPECT_TRUE(code_runs_on(ours, 9, 0));
  EXPECT_FALSE(code_runs_on(ours, 7, 5));
  EXPECT_TRUE(code_runs_on(ours, 10, 0));
  EXPECT_FALSE(code_runs_on("80-real,90a-real", 10, 0));
  EXPECT_FALSE(code_runs_on("86-real", 8, 0));
  EXPECT_TRUE(code_runs_on("80", 10, 0));
  EXPECT_TRUE(code_runs_on("80-virtual", 8, 6));
  EXPECT_FALSE(code_runs_on("90a", 10, 0));
  EXPECT_TRUE(code_runs_on("100-real", 10, 3));
  EXPECT_TRUE(code_runs_on("all-major", 12, 0));
  EXPECT_FALSE(code_runs_on("", 9, 0));
}

}  // namespace
}  // namespace longhaul
