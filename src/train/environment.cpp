#include "train/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <thread>

#include "longhaul/comm/exchange.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/program_output.h"
#include "longhaul/core/system_memory.h"
#include "train/gpu_driver.h"
#include "train/gpu_list.h"
#include "train/network_cards.h"
#include "train/numa.h"
#ifdef LONGHAUL_HAS_CUDA
#include "longhaul/comm/nccl_communicator.h"
#endif

extern char** environ;

namespace longhaul {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 15> kRecorded{
    "CUDA_", "NCCL_",    "NVIDIA_VISIBLE", "PYTORCH_", "TORCH_", "OMP_",  "MKL_",           "GOMP_",
    "UCX_",  "OMPI_MCA", "PMIX_MCA",       "FI_",      "CUBLAS", "CUDNN", "LD_LIBRARY_PATH"};

std::vector<std::string> whole_environment() {
  std::vector<std::string> all;
  for (char** line = environ; *line != nullptr; ++line) all.emplace_back(*line);
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

ordered_json gpus_of_this_machine() {
  const auto asked = [](const std::vector<std::string>& command) {
    return lines_of(program_output(command, kDriverLimit).text);
  };
  return {
      {"list",
       asked(
           {"nvidia-smi",
            "--query-gpu=index,name,pci.bus_id,driver_version,memory.total,clocks.max.sm,power.limit,persistence_mode",
            "--format=csv,noheader"})},
      {"topology", asked({"nvidia-smi", "topo", "-m"})}};
}

// This rank's line of "ranks".
ordered_json own_place(c10::Device device) {
  ordered_json place{{"device", device.str()}};
  if (!device.is_cuda()) return place;
  place["pci"] = pci_bus_id(device.index());
  if (const auto node = numa_node_of(place["pci"])) place["numa_node"] = *node;
  for (const NetworkCard& card : nearest_of(cards_near(place["pci"]))) {
    place["network_cards"].push_back({{"name", card.name}, {"link", card.link}, {"shares", name_of(card.distance)}});
  }
  return place;
}

}  // namespace

ordered_json recorded_settings(const std::vector<std::string>& environment) {
  ordered_json settings = ordered_json::object();
  std::vector<std::string> sorted = environment;
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& line : sorted) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const bool wanted = std::any_of(kRecorded.begin(), kRecorded.end(),
                                    [&](std::string_view start) { return line.starts_with(start); });
    if (wanted) settings[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return settings;
}

ordered_json run_environment(comm::Communicator* ranks, const comm::RankHosts& hosts, c10::Device device) {
  ordered_json places = ordered_json::array();
  const auto own = comm::all_gather_text(ranks, json_text(own_place(device)));
  for (size_t rank = 0; rank < own.size(); ++rank) {
    ordered_json place{{"rank", rank}, {"host", hosts.names()[rank]}};
    place.update(read_ordered_json_text(own[rank], hosts.names()[rank]));
    places.push_back(place);
  }
  if (!comm::leads(ranks)) return {};
  utsname kernel{};
  ::uname(&kernel);
  const SystemMemory memory = system_memory();
  ordered_json environment{{"ranks", places},
                           {"system", fmt::format("{} {} ({})", kernel.sysname, kernel.release, kernel.machine)},
                           {"processors", std::thread::hardware_concurrency()},
                           {"memory_bytes", memory.total},
                           {"libtorch", TORCH_VERSION}};
#ifdef LONGHAUL_HAS_CUDA
  if (device.is_cuda()) {
    environment["nccl"] = ranks != nullptr ? comm::nccl_version() : 0;
    environment["gpus"] = gpus_of_this_machine();
  }
#endif
  environment["settings"] = recorded_settings(whole_environment());
  return environment;
}

}  // namespace longhaul
