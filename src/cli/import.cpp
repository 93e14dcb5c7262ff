// llm-pretrain import: a Hugging Face folder becomes a checkpoint. `pretrain` reads a folder directly, too; a
// checkpoint is checksummed, and holds FP32 weights that any layout can load.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "longhaul/core/error.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/train/import_checkpoint.h"

namespace longhaul::cli {

void add_import_command(CLI::App& app) {
  struct Options {
    std::string model, output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("import", "Write a Hugging Face folder as a checkpoint");
  command->add_option("--model", options->model, "the Hugging Face folder")->required();
  command->add_option("--output", options->output, "the checkpoint folder to make")->required();
  command->footer("Example:\n  llm-pretrain import --model HF_DIR --output my_checkpoint");
  command->callback([options] {
    const StopGuard stop;
    import_checkpoint(options->model, options->output);
    fmt::print("wrote {}\n", options->output);
  });
}

}  // namespace longhaul::cli
