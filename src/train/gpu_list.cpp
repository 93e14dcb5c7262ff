#include "train/gpu_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <set>
#include <sstream>
#include <string_view>

#include "longhaul/core/program_output.h"

namespace longhaul {
namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t comma = std::min(line.find(", ", begin), line.size());
    fields.push_back(line.substr(begin, comma - begin));
    begin = comma + 2;
  }
  return fields;
}

}  // namespace

GpuList list_gpus() {
  using End = ProgramOutput::End;
  GpuList list;
  const ProgramOutput output =
      program_output({"nvidia-smi", "--query-gpu=driver_version,memory.total,compute_cap,pci.bus_id,name",
                      "--format=csv,noheader,nounits"},
                     kDriverLimit);
  if (output.end == End::missing) {
    list.gpus = gpus_of_driver();
    if (!list.gpus.empty()) return list;
    list.problem =
        cuda_of_driver()
            ? "the NVIDIA driver's library is there, but does not start, or sees no GPU: install nvidia-smi, of the same driver, "
              "to learn more"
            : "no NVIDIA driver (nvidia-smi was not found): for GPUs install the package nvidia-driver, from your distribution or NVIDIA's repository";
  } else if (output.end == End::late) {
    list.problem = fmt::format(
        "the NVIDIA driver does not answer (nvidia-smi took more than {} s). Where it only starts slowly, keep it started: "
        "nvidia-smi -pm 1. Otherwise look at dmesg for Xid, and restart the machine",
        kDriverLimit.count());
  } else if (output.end == End::failed) {
    list.problem =
        "the NVIDIA driver does not work (nvidia-smi fails): run nvidia-smi, and install the driver of the kernel that runs";
  }
  std::istringstream lines(output.text);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() < 5) continue;
    ListedGpu gpu{.name = line.substr(line.find(fields[3]) + fields[3].size() + 2), .pci = fields[3]};
    std::istringstream(fields[1]) >> gpu.memory;
    gpu.memory *= 1 << 20;
    char dot = 0;
    std::istringstream(fields[2]) >> gpu.major >> dot >> gpu.minor;
    list.driver = fields[0];
    list.gpus.push_back(gpu);
  }
  if (list.problem.empty() && list.gpus.empty())
    list.problem = "the NVIDIA driver sees no GPU: look at nvidia-smi, and at lspci";
  return list;
}

std::string links_of(const std::string& topology) {
  std::set<std::string> links;
  std::istringstream lines(topology);
  int row = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(fmt::format("GPU{}", row))) continue;
    std::istringstream words(line);
    std::string word;
    words >> word;
    for (int column = 0; column < row && words >> word; ++column) links.insert(word);  // below the diagonal
    ++row;
  }
  std::vector<std::string> nvlink, pcie;
  for (const std::string& link : links) (link.starts_with("NV") ? nvlink : pcie).push_back(link);
  std::vector<std::string> kinds;
  if (!nvlink.empty()) kinds.push_back(fmt::format("NVLink ({})", fmt::join(nvlink, ", ")));
  if (!pcie.empty()) kinds.push_back(fmt::format("PCIe ({})", fmt::join(pcie, ", ")));
  return fmt::format("{}", fmt::join(kinds, " and "));
}

bool code_runs_on(const std::string& architectures, int major, int minor) {
  std::istringstream entries(architectures);
  for (std::string entry; std::getline(entries, entry, ',');) {
    if (entry == "all" || entry == "all-major" || entry == "native")
      return true;  // native: of the machine that compiled it
    int number = 0;
    const auto [rest, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
    if (error != std::errc()) continue;
    const std::string_view kind(rest, static_cast<size_t>(entry.data() + entry.size() - rest));
    const int built_major = number / 10, built_minor = number % 10;
    const bool exact = kind.starts_with("a"), machine_code = !kind.ends_with("virtual"),
               intermediate = !kind.ends_with("real");
    if (exact ? major == built_major && minor == built_minor
              : (machine_code && major == built_major && minor >= built_minor) ||
                    (intermediate && major * 10 + minor >= number)) {
      return true;
    }
  }
  return false;
}

}  // namespace longhaul
