// Which InfiniBand and RoCE cards are near a GPU, by where the kernel says in sysfs that both are plugged in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longhaul {

// What lies between two PCI devices, the nearest first.
enum class PciDistance { pci_switch, host_bridge, numa_node, machine };
const char* name_of(PciDistance distance);  // "a PCIe switch", …: "they share …"

struct NetworkCard {
  std::string name;                             // as NCCL_IB_HCA takes it: "mlx5_0"
  std::string link;                             // "InfiniBand", "Ethernet" (RoCE)
  PciDistance distance = PciDistance::machine;  // from the GPU
};

// Cards with a port that is up, the nearest to the PCI device first ("0000:3b:00.0", as numa_node_of takes it), cards
// of one distance by name. Empty where there are none, or the device is not there.
std::vector<NetworkCard> cards_near(const std::string& pci_device, const std::filesystem::path& sysfs = "/sys");

// Those of them that none is nearer than.
std::vector<NetworkCard> nearest_of(std::vector<NetworkCard> cards);

}  // namespace longhaul
