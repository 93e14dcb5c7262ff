#include "cli/model_options.h"

#include <ATen/Parallel.h>

#include "cli/other_work.h"
#include "longhaul/train/device.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {

void add_model_options(const Command& command, ModelOptions& options) {
  command.option("--model", options.folder, "a Hugging Face folder, a checkpoint, or a run folder").required();
  command.option("--precision", options.precision, "of the arithmetic").one_of({"fp32", "bf16"}).show_default();
  command.option("--device", options.device, "where to compute").one_of({"auto", "cpu", "cuda"}).show_default();
  command.option("--threads", options.threads, "CPU threads; 0: all cores").not_negative();
}

std::unique_ptr<Transformer> load_model(const ModelFolder& folder, const ModelOptions& options) {
  if (options.threads > 0) at::set_num_threads(static_cast<int>(options.threads));
  const DeviceChoice choice = options.device == "cpu"    ? DeviceChoice::cpu
                              : options.device == "cuda" ? DeviceChoice::cuda
                                                         : DeviceChoice::automatic;
  const c10::Device device = resolve_device(choice, 0, "--device cpu");
  if (device.is_cpu() && options.threads == 0) tell_of_other_work(at::get_num_threads(), "--threads ");
  return longhaul::load_model(folder, options.precision == "bf16" ? at::kBFloat16 : at::kFloat, device);
}

}  // namespace longhaul::cli
