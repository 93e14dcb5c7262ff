#include "train/network_cards.h"

#include <gtest/gtest.h>

#include "train/numa.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

// A machine of two nodes. The GPU 0000:19:00.0 is behind a switch with mlx5_2; mlx5_0 hangs on the same host bridge,
// mlx5_1 on another one of the node, and mlx5_3 on the other node. mlx5_4 is beside the GPU, but down. 0000:c1:00.0 is
// a GPU of the other node.
class NetworkCards : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    device("pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:00.0/0000:19:00.0", 0);
    device("pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:01.0/0000:1a:00.0", 0);
    device("pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:02.0/0000:1b:00.0", 0);
    device("pci0000:15/0000:15:03.0/0000:1d:00.0", 0);
    device("pci0000:37/0000:37:01.0/0000:38:00.0", 0);
    device("pci0000:c0/0000:c0:01.0/0000:c1:00.0", 1);
    device("pci0000:b0/0000:b0:01.0/0000:b1:00.0", 1);
    card("mlx5_0", "0000:1d:00.0", "4: ACTIVE", "InfiniBand");
    card("mlx5_1", "0000:38:00.0", "4: ACTIVE", "InfiniBand");
    card("mlx5_2", "0000:1a:00.0", "4: ACTIVE", "Ethernet");
    card("mlx5_3", "0000:b1:00.0", "4: ACTIVE", "InfiniBand");
    card("mlx5_4", "0000:1b:00.0", "1: DOWN", "InfiniBand");
  }
  // Where the kernel has it, with the link by its name.
  void device(const fs::path& way, int node) {
    const fs::path folder = folder_ / "devices" / way;
    fs::create_directories(folder);
    write_plainly(folder / "numa_node", std::to_string(node) + "\n");
    fs::create_directories(folder_ / "bus/pci/devices");
    fs::create_directory_symlink(folder, folder_ / "bus/pci/devices" / way.filename());
  }
  void card(const std::string& name, const std::string& device, const std::string& state, const std::string& link) {
    const fs::path place = fs::canonical(folder_ / "bus/pci/devices" / device);
    const fs::path folder = place / "infiniband" / name;
    fs::create_directories(folder / "ports/1");
    write_plainly(folder / "ports/1/state", state + "\n");
    write_plainly(folder / "ports/1/link_layer", link + "\n");
    fs::create_directory_symlink(place, folder / "device");
    fs::create_directories(folder_ / "class/infiniband");
    fs::create_directory_symlink(folder, folder_ / "class/infiniband" / name);
  }
  std::string listed(const std::string& gpu) const {
    std::string text;
    for (const NetworkCard& card : cards_near(gpu, folder_))
      text += fmt::format("{}: {}, {}\n", card.name, name_of(card.distance), card.link);
    return text;
  }
};

TEST_F(NetworkCards, AreSortedByDistance) {
  const std::string near =
      "mlx5_2: a PCIe switch, Ethernet\nmlx5_0: a host bridge, InfiniBand\nmlx5_1: a NUMA node, InfiniBand\n"
      "mlx5_3: the machine, InfiniBand\n";
  EXPECT_EQ(listed("0000:19:00.0"), near);
  EXPECT_EQ(listed("00000000:19:00.0"), near) << "as CUDA and nvidia-smi write it";
  EXPECT_EQ(listed("0000:C1:00.0"),
            "mlx5_3: a NUMA node, InfiniBand\nmlx5_0: the machine, InfiniBand\nmlx5_1: the machine, InfiniBand\n"
            "mlx5_2: the machine, Ethernet\n");
}

TEST_F(NetworkCards, TheNearestMayBeSeveral) {
  const auto nearest = nearest_of(cards_near("0000:19:00.0", folder_));
  ASSERT_EQ(nearest.size(), 1U);
  EXPECT_EQ(nearest[0].name, "mlx5_2");
  const std::vector<NetworkCard> two{
      {"a", "", PciDistance::host_bridge}, {"b", "", PciDistance::host_bridge}, {"c", "", PciDistance::machine}};
  EXPECT_EQ(nearest_of(two).size(), 2U);
  EXPECT_TRUE(nearest_of({}).empty());
}

TEST_F(NetworkCards, AreNoneWhereNothingIsKnown) {
  EXPECT_EQ(listed("0000:99:00.0"), "") << "no such device";
  EXPECT_TRUE(cards_near("0000:19:00.0", folder_ / "nothing").empty());
  fs::remove_all(folder_ / "class/infiniband");
  EXPECT_EQ(listed("0000:19:00.0"), "");
}

}  // namespace
}  // namespace longhaul
