#include "model_options.h"

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>

#include "longhaul/train/device.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("--model", options.folder, "a Hugging Face folder, a checkpoint, or a run folder")->required();
  command.add_option("--precision", options.precision, "of the arithmetic")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  command.add_option("--device", options.device, "where to compute")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("--threads", options.threads, "CPU threads; 0: all cores")->check(CLI::NonNegativeNumber);
}

std::unique_ptr<Transformer> load_model(const ModelFolder& folder, const ModelOptions& options) {
  if (options.threads > 0) at::set_num_threads(static_cast<int>(options.threads));
  const DeviceChoice choice = options.device == "cpu"    ? DeviceChoice::cpu
                              : options.device == "cuda" ? DeviceChoice::cuda
                                                         : DeviceChoice::automatic;
  return longhaul::load_model(folder, options.precision == "bf16" ? at::kBFloat16 : at::kFloat, resolve_device(choice));
}

}  // namespace longhaul::cli
