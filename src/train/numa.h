// Which processors are near a GPU, from what the kernel tells in sysfs; and staying there: host memory and the threads
// that feed a GPU or a network card belong on its socket.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace longhaul {

// A PCI device's name there: CUDA and nvidia-smi write capitals, and a domain of eight digits instead of four.
std::string pci_device_in_sysfs(std::string device);

// Of a PCI device, "0000:3b:00.0" (in either case, with or without leading zeros of the domain, as CUDA names it).
// Empty where the machine has one node only, or does not say.
std::optional<int> numa_node_of(const std::string& pci_device, const std::filesystem::path& sysfs = "/sys");

// Processors of a node, ascending; empty when there is no such node.
std::vector<int> processors_of_node(int node, const std::filesystem::path& sysfs = "/sys");

// "0-3,8,10-11" -> 0 1 2 3 8 10 11. What it can't read it leaves out.
std::vector<int> parse_processor_list(const std::string& text);

// From now on this thread and those it starts run on the node's processors, of those that they may run on now. Returns
// how many these are; 0: none, and nothing has changed.
int stay_on_node(int node, const std::filesystem::path& sysfs = "/sys");

}  // namespace longhaul
