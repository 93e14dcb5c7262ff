// RUN/environment.json: what a run ran on and with, so that its speed and its bugs can be told from its folder.
#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhaul/comm/rank_hosts.h"

namespace longhaul {

// A collective call over `ranks` (null: one process), with the result on each: hosts, devices and the network cards
// nearest to them by rank; versions, processors, memory, the environment's settings (only names that begin as those of
// CUDA, NCCL, LibTorch, OpenMP, UCX or Open MPI do), and with GPUs their list, driver and topology, all of rank 0's
// machine.
nlohmann::ordered_json run_environment(comm::Communicator* ranks, const comm::RankHosts& hosts, c10::Device device);

// Those of `environment` ("NAME=value") that are recorded.
nlohmann::ordered_json recorded_settings(const std::vector<std::string>& environment);

}  // namespace longhaul
