// llm-pretrain tokenizer: what there is to do with a tokenizer by itself.
#include "cli/tokenizer/tokenizer.h"

#include "cli/commands.h"

namespace longhaul::cli {

void add_tokenizer_command(const Command& app) {
  const Command command = app.subcommand("tokenizer", "Encode, decode, compare and train tokenizers");
  command.needs_subcommand();
  command.examples(
      "Examples:\n"
      "  llm-pretrain tokenizer encode --tokenizer HF_DIR --text 'Hello world'\n"
      "  llm-pretrain tokenizer train --kind bpe --vocab-size 32000 --input corpus.jsonl --output my_tokenizer");
  add_tokenizer_encode(command);
  add_tokenizer_decode(command);
  add_tokenizer_compare(command);
  add_tokenizer_train(command);
}

}  // namespace longhaul::cli
