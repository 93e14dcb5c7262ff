// llm-pretrain export: a checkpoint becomes a Hugging Face folder.
#include <fmt/core.h>

#include <memory>

#include "cli/commands.h"
#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/comm/rendezvous.h"
#include "longhaul/core/error.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/model/family.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {

void add_export_command(const Command& app) {
  struct Options {
    std::string checkpoint, output, dtype;
    double shard_gigabytes = 5;
    bool overwrite = false;
  };
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("export", "Write a checkpoint as a Hugging Face folder");
  command.option("--checkpoint", options->checkpoint, "a checkpoint, or a run folder for its newest").required();
  command.option("--output", options->output, "the folder to make").required();
  command.option("--dtype", options->dtype, "of the weights; default: that of the folder that training began from")
      .one_of({"bf16", "fp16", "fp32"});
  command.option("--max-shard-gigabytes", options->shard_gigabytes, "size of a weight file").positive().show_default();
  command.flag("--overwrite", options->overwrite, "replace an existing model folder");
  command.examples(
      "Example:\n  llm-pretrain export --checkpoint runs/my_run/checkpoints/step_00000500 --output my_model --dtype bf16");
  command.run([options] {
    comm::require_one_process("export");
    const StopGuard stop;
    const ModelFolder folder(options->checkpoint);
    if (!folder.is_checkpoint()) throw UserError("{} is a Hugging Face folder already", options->checkpoint);
    HfExportOptions export_options;
    export_options.output = options->output;
    if (!options->dtype.empty()) export_options.dtype = parse_hf_dtype(options->dtype);
    export_options.shard_bytes = static_cast<int64_t>(options->shard_gigabytes * 1e9);
    export_options.overwrite = options->overwrite;
    export_hf(family(folder.config().family), folder.config(), folder.parameters(), folder.side_car(), export_options);
    fmt::print("wrote {}\n", options->output);
  });
}

}  // namespace longhaul::cli
