#include "cli/gpu_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/program_output.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/ops/device.h"
#include "train/gpu_list.h"
#include "train/network_cards.h"
#include "train/numa.h"
#if LONGHAUL_HAS_CUDA
#include "longhaul/comm/nccl_communicator.h"
#endif

namespace longhaul::cli {
namespace {

constexpr int kCudaMajor = 13, kOldestDriver = 580;  // LibTorch's CUDA, and the first driver for that
constexpr int kOldestMajor = 8;                      // the kernels want BF16 arithmetic and asynchronous copies

std::string this_build() {
#if LONGHAUL_HAS_CUDA
  return "yes, for " LONGHAUL_CUDA_ARCHITECTURES;
#else
  return "no: this program trains on the CPU; scripts/setup --gpu, then scripts/build, make one that uses GPUs";
#endif
}

// After the GPU's compute capability.
std::string support_for(const ListedGpu& gpu) {
  if (gpu.major < kOldestMajor) return fmt::format("too old: Longhaul's kernels want {}.0 or later", kOldestMajor);
#if LONGHAUL_HAS_CUDA
  if (!code_runs_on(LONGHAUL_CUDA_ARCHITECTURES, gpu.major, gpu.minor)) {
    return fmt::format("not in this build: configure with -DCMAKE_CUDA_ARCHITECTURES={}{}-real and build again",
                       gpu.major, gpu.minor);
  }
#endif
  return "supported";
}

std::string place_of(const ListedGpu& gpu) {
  std::string text = pci_device_in_sysfs(gpu.pci);
  if (const auto node = numa_node_of(gpu.pci)) text += fmt::format(", NUMA node {}", *node);
  std::vector<std::string> names;
  const auto cards = nearest_of(cards_near(gpu.pci));
  for (const NetworkCard& card : cards) names.push_back(fmt::format("{} ({})", card.name, card.link));
  if (cards.empty()) return text + ", no InfiniBand or RoCE card that is up";
  return text + fmt::format(", nearest network cards {}: they share {}", fmt::join(names, ", "),
                            name_of(cards.front().distance));
}

std::string too_old() {
  return fmt::format(": too old, LibTorch is built for CUDA {}; install driver {} or later", kCudaMajor, kOldestDriver);
}

std::string driver_text(const GpuList& list) {
  std::vector<std::string> parts;
  if (!list.driver.empty()) parts.push_back(list.driver);
  if (const auto cuda = cuda_of_driver())
    parts.push_back(fmt::format("for CUDA up to {}.{}{}", *cuda / 1000, *cuda % 1000 / 10,
                                *cuda / 1000 < kCudaMajor ? too_old() : ""));
  return fmt::format("{}", fmt::join(parts, ", "));
}

#if LONGHAUL_HAS_CUDA
std::string nccl_text() {
  try {
    const int version = comm::nccl_version();
    return fmt::format("{}.{}.{}, {}", version / 10000, version / 100 % 100, version % 100, comm::nccl_path());
  } catch (const EnvironmentError& error) {
    return error.what();
  }
}
#endif

void add_gpus(TextTable& facts, const GpuList& list) {
  facts.add({"NVIDIA driver", driver_text(list)});
  for (size_t i = 0; i < list.gpus.size(); ++i) {
    const ListedGpu& gpu = list.gpus[i];
    facts.add({fmt::format("GPU {}", i), fmt::format("{}, {}, compute capability {}.{}: {}", gpu.name,
                                                     gpu.memory > 0 ? format_bytes(gpu.memory) : "memory unknown",
                                                     gpu.major, gpu.minor, support_for(gpu))});
    facts.add({"  place", place_of(gpu)});
  }
  const std::string links = links_of(program_output({"nvidia-smi", "topo", "-m"}, kDriverLimit).text);
  if (!links.empty()) facts.add({"links between GPUs", links});
  if (const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES")) facts.add({"CUDA_VISIBLE_DEVICES", visible});
#if LONGHAUL_HAS_CUDA
  const std::string& problem = ops::cuda_problem();
  facts.add({"LibTorch on GPUs", problem.empty() ? "works" : problem});
  facts.add({"NCCL, for several GPUs", nccl_text()});
#endif
}

}  // namespace

bool built_with_cuda() {
#if LONGHAUL_HAS_CUDA
  return true;
#else
  return false;
#endif
}

std::string gpu_report() {
  TextTable facts;
  facts.add({"CUDA in this build", this_build()});
  const GpuList list = list_gpus();
  if (list.gpus.empty()) {
    facts.add({"GPUs", list.problem});
  } else {
    add_gpus(facts, list);
  }
  return facts.str();
}

}  // namespace longhaul::cli
