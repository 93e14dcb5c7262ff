// llm-pretrain tokenizer: what there is to do with a tokenizer by itself.
#include "cli/tokenizer/tokenizer.h"

#include <CLI/CLI.hpp>

#include "commands.h"

namespace longhaul::cli {

void add_tokenizer_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenizer", "Encode, decode, compare and train tokenizers");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  llm-pretrain tokenizer encode --tokenizer HF_DIR --text 'Hello world'\n"
      "  llm-pretrain tokenizer train --kind bpe --vocab-size 32000 --input corpus.jsonl --output my_tokenizer");
  add_tokenizer_encode(*command);
  add_tokenizer_decode(*command);
  add_tokenizer_compare(*command);
  add_tokenizer_train(*command);
}

}  // namespace longhaul::cli
