// llm-pretrain doctor: what this machine offers, and what is missing.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/headeronly/version.h>

#include "cli/commands.h"
#include "cli/gpu_report.h"
#include "cli/system_info.h"
#include "cli/verify/python_reference.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/system_memory.h"
#include "longhaul/core/table.h"

namespace longhaul::cli {
namespace {

std::string cpu_features(const CpuInfo& cpu) {
  std::vector<std::string> names;
  if (cpu.avx2) names.push_back("AVX2");
  if (cpu.avx512) names.push_back("AVX-512");
  if (cpu.avx512_bf16) names.push_back("AVX-512 BF16");
  if (cpu.amx_bf16) names.push_back("AMX BF16");
  return names.empty() ? "no AVX2" : fmt::format("{}", fmt::join(names, ", "));
}

std::string core_text(const CpuInfo& cpu) {
  std::string text = fmt::format("{}, LibTorch uses {} threads", cpu.cores, at::get_num_threads());
  if (cpu.quota > 0) text += fmt::format("; the container is limited to {:.1f} cores", cpu.quota);
  return text;
}

std::string memory_text(const SystemMemory& memory) {
  std::string text = fmt::format("{}, {} available", format_bytes(static_cast<double>(memory.total)),
                                 format_bytes(static_cast<double>(memory.available)));
  if (memory.limit > 0)
    text += fmt::format("; the container is limited to {}", format_bytes(static_cast<double>(memory.limit)));
  return text;
}

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

struct Tool {
  const char* program;
  const char* purpose;
  const char* remedy;  // for Debian and Ubuntu
};

constexpr Tool kTools[] = {
    {"g++", "builds Longhaul", "apt install g++"},
    {"cmake", "builds Longhaul", "apt install cmake"},
    {"ninja", "builds Longhaul", "apt install ninja-build"},
    {"ccache", "makes builds quicker", "apt install ccache"},
    {"nvcc", "builds the GPU code", "scripts/setup --gpu, or apt install cuda-toolkit, from NVIDIA's repository"},
    {"git", "fetches and records sources", "apt install git"},
    {"mpirun", "starts several ranks (`launch local`)", "apt install openmpi-bin"},
};

void report() {
  const CpuInfo cpu = cpu_info();
  TextTable facts;
  facts.add({"Longhaul", LONGHAUL_VERSION});
  facts.add({"LibTorch", TORCH_VERSION});
  facts.add({"compiled by", kCompiler});
  facts.add({"system", os_name()});
  facts.add({"CPU", fmt::format("{} ({})", cpu.model.empty() ? "unknown" : cpu.model, cpu_features(cpu))});
  facts.add({"cores", core_text(cpu)});
  facts.add({"memory", memory_text(system_memory())});
  const int64_t disk = free_disk(".");
  facts.add({"disk of this folder", disk < 0 ? "unknown" : format_bytes(static_cast<double>(disk)) + " free"});
  fmt::print("{}\n{}\n", facts.str(), gpu_report());

  TextTable tools({"tool", "found", "purpose", "to install"});
  for (const Tool& tool : kTools) {
    const std::string path = find_program(tool.program);
    if (path.empty() && tool.program == std::string_view("nvcc") && built_with_cuda()) continue;  // it was elsewhere
    tools.add({tool.program, path.empty() ? "missing" : path, tool.purpose, path.empty() ? tool.remedy : ""});
  }
  const std::string python = find_reference_python();
  tools.add({"transformers", python.empty() ? "missing" : "in the Python " + python,
             "`verify` compares a model with it",
             python.empty() ? "scripts/setup --test, or pip install torch transformers safetensors" : ""});
  fmt::print("{}", tools.str());
}

}  // namespace

void add_doctor_command(const Command& app) {
  const Command command = app.subcommand("doctor", "Show what this machine offers for training, and what is missing");
  command.examples("Example:\n  llm-pretrain doctor");
  command.run(report);
}

}  // namespace longhaul::cli
