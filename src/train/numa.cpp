#include "train/numa.h"

#include <sched.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <sstream>

namespace longhaul {
namespace {

std::optional<int> read_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string pci_device_in_sysfs(std::string device) {
  std::transform(device.begin(), device.end(), device.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t domain = device.find(':');
  if (domain != std::string::npos && domain > 4 &&
      device.substr(0, domain - 4).find_first_not_of('0') == std::string::npos) {
    device.erase(0, domain - 4);
  }
  return device;
}

std::optional<int> numa_node_of(const std::string& pci_device, const std::filesystem::path& sysfs) {
  std::ifstream file(sysfs / "bus/pci/devices" / pci_device_in_sysfs(pci_device) / "numa_node");
  int node = -1;
  if (!(file >> node) || node < 0) return std::nullopt;
  return node;
}

std::vector<int> parse_processor_list(const std::string& text) {
  std::vector<int> processors;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    while (!part.empty() && std::isspace(static_cast<unsigned char>(part.back()))) part.pop_back();
    const size_t dash = part.find('-');
    const auto first = read_number(std::string_view(part).substr(0, dash));
    const auto last = dash == std::string::npos ? first : read_number(std::string_view(part).substr(dash + 1));
    if (!first || !last) continue;
    for (int i = *first; i <= *last; ++i) processors.push_back(i);
  }
  return processors;
}

std::vector<int> processors_of_node(int node, const std::filesystem::path& sysfs) {
  std::ifstream file(sysfs / "devices/system/node" / ("node" + std::to_string(node)) / "cpulist");
  std::string text;
  std::getline(file, text);
  return parse_processor_list(text);
}

int stay_on_node(int node, const std::filesystem::path& sysfs) {
  cpu_set_t allowed, near;
  CPU_ZERO(&near);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  for (const int processor : processors_of_node(node, sysfs)) {
    if (processor < CPU_SETSIZE && CPU_ISSET(processor, &allowed)) CPU_SET(processor, &near);
  }
  const int count = CPU_COUNT(&near);
  if (count == 0 || sched_setaffinity(0, sizeof near, &near) != 0) return 0;
  return count;
}

}  // namespace longhaul
