// This machine's GPUs, all of them, as nvidia-smi lists them: it has a time limit, which CUDA in a broken driver has
// not.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "train/gpu_driver.h"

namespace longhaul {

// How long nvidia-smi may take: a driver in trouble keeps it waiting for ever, a driver that first has to start eight
// GPUs for many seconds.
constexpr std::chrono::seconds kDriverLimit{60};

struct GpuList {
  std::string problem;  // why nothing is listed, and what to do; empty where something is
  std::string driver;   // its version; empty where nvidia-smi is missing
  std::vector<ListedGpu> gpus;
};

// What nvidia-smi says; where a container has only the driver's library, what CUDA says.
GpuList list_gpus();

// How the GPUs are joined, of `nvidia-smi topo -m`: "NVLink (NV18)", "PCIe (PHB, SYS)", or of both kinds; empty for one
// GPU, or where the text says nothing.
std::string links_of(const std::string& topology);

// Whether code compiled for `architectures`, CMake's between commas ("80-real,90a-real", "all"), runs on a GPU of that
// compute capability.
bool code_runs_on(const std::string& architectures, int major, int minor);

}  // namespace longhaul
