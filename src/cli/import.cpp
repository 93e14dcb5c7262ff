// llm-pretrain import: a Hugging Face folder becomes a checkpoint. `pretrain` reads a folder directly, too; a
// checkpoint is checksummed, and holds FP32 weights that any layout can load.
#include <fmt/core.h>

#include <memory>

#include "cli/commands.h"
#include "longhaul/core/error.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/train/import_checkpoint.h"

namespace longhaul::cli {

void add_import_command(const Command& app) {
  struct Options {
    std::string model, output;
  };
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("import", "Write a Hugging Face folder as a checkpoint");
  command.option("--model", options->model, "the Hugging Face folder").required();
  command.option("--output", options->output, "the checkpoint folder to make").required();
  command.examples("Example:\n  llm-pretrain import --model HF_DIR --output my_checkpoint");
  command.run([options] {
    const StopGuard stop;
    import_checkpoint(options->model, options->output);
    fmt::print("wrote {}\n", options->output);
  });
}

}  // namespace longhaul::cli
