// llm-pretrain inspect: finds out what a path holds, and shows what is in it.
#include "cli/inspect/inspect.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "longhaul/core/error.h"

namespace longhaul::cli {
namespace {

namespace fs = std::filesystem;

void inspect_folder(const fs::path& folder, const InspectOptions& options) {
  if (fs::exists(folder / "checkpoints") || fs::exists(folder / "metrics.jsonl")) return inspect_run(folder);
  if (fs::exists(folder / "manifest.json")) return inspect_checkpoint(folder, options);
  if (fs::exists(folder / "config.json")) return inspect_hf_folder(folder, options);
  if (fs::exists(folder / "tokenizer.json")) return inspect_tokenizer(folder);
  throw UserError(
      "{} is none of the folders that are known: it has neither checkpoints/ (a run) nor manifest.json (a "
      "checkpoint) "
      "nor config.json (Hugging Face) nor tokenizer.json",
      folder.string());
}

void inspect(const std::string& path, const InspectOptions& options) {
  const std::string extension = fs::path(path).extension();
  // First, because training keeps its indices of the dataset PREFIX in a folder PREFIX.
  if (extension == ".idx" || extension == ".bin" || fs::exists(path + ".idx") || fs::exists(path + ".bin")) {
    return inspect_dataset(path);
  }
  if (fs::is_directory(path)) return inspect_folder(path, options);
  if (extension == ".safetensors") return inspect_safetensors(path);
  if (!fs::exists(path)) {
    throw UserError("{} does not exist, and there is no dataset {}.idx either: check the path", path, path);
  }
  throw UserError("{}: not a kind of file that is known; those are .safetensors, and .idx with its .bin",
                  path);
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  struct Options {
    std::string path;
    InspectOptions inspect;
    bool quick = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show what a model, a checkpoint, a dataset or a run holds");
  command
      ->add_option("FOLDER_OR_FILE", options->path,
                   "a Hugging Face folder, a checkpoint, a run folder, a dataset's prefix or .idx, a "
                   ".safetensors file")
      ->required();
  command->add_flag("--tensors", options->inspect.tensors, "list every tensor");
  command->add_flag("--quick", options->quick, "leave the weights' bytes unread: no checksums");
  command->footer(
      "Examples:\n"
      "  llm-pretrain inspect HF_DIR\n"
      "  llm-pretrain inspect runs/my_run\n"
      "  llm-pretrain inspect runs/my_run/checkpoints/step_00000500\n"
      "  llm-pretrain inspect data/corpus_text_document");
  command->callback([options] {
    options->inspect.read_bytes = !options->quick;
    inspect(options->path, options->inspect);
  });
}

}  // namespace longhaul::cli
