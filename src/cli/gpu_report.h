// What `llm-pretrain doctor` says of GPUs.
#pragma once

#include <string>

namespace longhaul::cli {

// A table: driver, each GPU with its place, links, LibTorch's CUDA library and NCCL; where something is missing, what
// to do. Without a driver one line says so.
std::string gpu_report();

bool built_with_cuda();

}  // namespace longhaul::cli
