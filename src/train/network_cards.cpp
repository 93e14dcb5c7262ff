#include "train/network_cards.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "train/numa.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// The folders from a host bridge down to the device: "pci0000:3a", "0000:3a:00.0", "0000:3b:00.0". Empty: it is no PCI
// device.
std::vector<std::string> way_to(const fs::path& device) {
  std::error_code problem;
  std::vector<std::string> way;
  for (const fs::path& part : fs::canonical(device, problem)) {
    const std::string name = part.string();
    if (!way.empty() || name.starts_with("pci")) way.push_back(name);
  }
  return way;
}

PciDistance distance_of(const std::vector<std::string>& a, const std::vector<std::string>& b, std::optional<int> node_a,
                        std::optional<int> node_b) {
  const auto shared = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  // Functions of one card share their way but for the last part, as devices behind one switch do.
  if (shared > 1) return PciDistance::pci_switch;
  if (shared == 1) return PciDistance::host_bridge;
  return node_a && node_a == node_b ? PciDistance::numa_node : PciDistance::machine;
}

// The link of the card's first port that is up.
std::optional<std::string> link_of(const fs::path& card) {
  std::vector<fs::path> ports;
  std::error_code problem;
  for (const auto& port : fs::directory_iterator(card / "ports", problem)) ports.push_back(port.path());
  std::sort(ports.begin(), ports.end());
  for (const fs::path& port : ports) {
    if (first_line(port / "state").starts_with("4")) return first_line(port / "link_layer");  // "4: ACTIVE"
  }
  return std::nullopt;
}

}  // namespace

const char* name_of(PciDistance distance) {
  switch (distance) {
    case PciDistance::pci_switch:
      return "a PCIe switch";
    case PciDistance::host_bridge:
      return "a host bridge";
    case PciDistance::numa_node:
      return "a NUMA node";
    case PciDistance::machine:
      return "the machine";
  }
  return "";
}

std::vector<NetworkCard> cards_near(const std::string& pci_device, const fs::path& sysfs) {
  const std::vector<std::string> gpu = way_to(sysfs / "bus/pci/devices" / pci_device_in_sysfs(pci_device));
  if (gpu.empty()) return {};
  const std::optional<int> node = numa_node_of(pci_device, sysfs);
  std::vector<NetworkCard> cards;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(sysfs / "class/infiniband", problem)) {
    const std::vector<std::string> card = way_to(entry.path() / "device");
    const auto link = link_of(entry.path());
    if (card.empty() || !link) continue;
    cards.push_back(
        {entry.path().filename().string(), *link, distance_of(gpu, card, node, numa_node_of(card.back(), sysfs))});
  }
  std::sort(cards.begin(), cards.end(), [](const NetworkCard& a, const NetworkCard& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.name < b.name;
  });
  return cards;
}

std::vector<NetworkCard> nearest_of(std::vector<NetworkCard> cards) {
  std::erase_if(cards, [nearest = cards.empty() ? PciDistance::machine : cards.front().distance](
                           const NetworkCard& card) { return card.distance != nearest; });
  return cards;
}

}  // namespace longhaul
