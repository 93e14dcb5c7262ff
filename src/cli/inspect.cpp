// llm-pretrain inspect: finds out what a path holds, and shows what is in it.
#include "cli/inspect/inspect.h"

#include <fmt/core.h>

#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/inspect/dataset.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
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
    return print_dataset(IndexedDatasetReader(path));
  }
  if (fs::is_directory(path)) return inspect_folder(path, options);
  if (extension == ".safetensors") return inspect_safetensors(path);
  if (!fs::exists(path)) {
    if (const std::string others = other_checkpoints(path); !others.empty()) {
      throw UserError("there is no checkpoint {}: {}", path, others);
    }
    throw UserError("{} does not exist, and there is no dataset {}.idx either: check the path", path, path);
  }
  throw UserError("{}: not a kind of file that is known; those are .safetensors, and .idx with its .bin", path);
}

// llm-pretrain inspect data: a dataset, closer.
struct DataOptions {
  std::string prefix, tokenizer;
  std::optional<int64_t> document;
  bool decode = false, verify = false;
};

void inspect_data(const DataOptions& options) {
  if (options.decode && !options.document)
    throw UserError("--decode shows the text of a document: say which, with --document N");
  if (options.decode && options.tokenizer.empty()) {
    throw UserError("--decode needs the tokenizer that the data was prepared with: --tokenizer FOLDER");
  }
  const IndexedDatasetReader data(options.prefix);
  const auto tokenizer = options.tokenizer.empty() ? nullptr : Tokenizer::from_folder(options.tokenizer);
  if (options.document) return print_document(data, *options.document, options.decode ? tokenizer : nullptr);
  print_dataset(data);
  if (!options.verify) return;
  std::fflush(stdout);
  fmt::print("\n");
  verify_dataset(data, tokenizer.get());
}

Command add_data(const Command& parent) {
  auto options = std::make_shared<DataOptions>();
  const Command command = parent.subcommand("data", "Show a dataset closer: one document, or check all of it");
  command.option("PREFIX", options->prefix, "of .bin/.idx files").required();
  command.option("--document", options->document, "print the ids of this document, counted from 0");
  command.flag("--decode", options->decode, "with the text of each id, and where it stands");
  command.option("--tokenizer", options->tokenizer, "the folder of the tokenizer that the data was prepared with");
  command.flag("--verify", options->verify, "read every id, compare it with the vocabulary, print checksums");
  command.examples(
      "Examples:\n"
      "  llm-pretrain inspect data data/corpus_text_document --verify\n"
      "  llm-pretrain inspect data data/corpus_text_document --document 17 --decode --tokenizer HF_DIR");
  command.run([options] { inspect_data(*options); });
  return command;
}

}  // namespace

void add_inspect_command(const Command& app) {
  struct Options {
    std::string path;
    InspectOptions inspect;
    bool quick = false;
  };
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("inspect", "Show what a model, a checkpoint, a dataset or a run holds");
  command.option("FOLDER_OR_FILE", options->path,
                 "a Hugging Face folder, a checkpoint, a run folder, a dataset's prefix or .idx, a "
                 ".safetensors file");
  command.flag("--tensors", options->inspect.tensors, "list every tensor");
  command.flag("--quick", options->quick, "leave the weights' bytes unread: no checksums");
  command.examples(
      "Examples:\n"
      "  llm-pretrain inspect HF_DIR\n"
      "  llm-pretrain inspect runs/my_run\n"
      "  llm-pretrain inspect runs/my_run/checkpoints/step_00000500\n"
      "  llm-pretrain inspect data/corpus_text_document");
  const Command data = add_data(command);
  command.run([options, data] {
    if (data.given()) return;
    if (options->path.empty())
      throw UserError("FOLDER_OR_FILE is required: `llm-pretrain inspect --help` shows what it can be");
    options->inspect.read_bytes = !options->quick;
    inspect(options->path, options->inspect);
  });
}

}  // namespace longhaul::cli
