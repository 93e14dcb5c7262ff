#include "prepare_options.h"

#include <CLI/CLI.hpp>

namespace longhaul::cli {

CLI::App* add_prepare_options(CLI::App& app, PrepareOptions& options) {
  CLI::App* command = app.add_subcommand("prepare", "Turn text into .bin/.idx files of token ids");
  command
      ->add_option("--input", options.inputs,
                   "JSONL or text file, glob or folder; may be given more than once")
      ->required();
  command->add_option("--tokenizer", options.tokenizer, "Hugging Face folder with tokenizer.json")
      ->required()
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--output-prefix", options.output_prefix,
                   "the files are PREFIX_<key>_document.bin and .idx")
      ->required();
  command
      ->add_option("--json-keys", options.json_keys,
                   "keys of the JSON objects to take, each into files of its own")
      ->capture_default_str();
  command->add_flag("--append-eod", options.append_eod,
                    "end each document with the tokenizer's end-of-text token");
  command->add_option("--workers", options.workers, "threads; 0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--no-special-tokens", options.no_special_tokens,
                    "leave out what the tokenizer adds to a text of its own accord, such as a first token");
  command
      ->add_option("--on-bad-line", options.on_bad_line,
                   "what to do about a line that is no JSON object with the keys")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  llm-pretrain prepare --input corpus.jsonl --tokenizer llama-3/ --output-prefix data/corpus "
      "--append-eod\n"
      "  llm-pretrain prepare --input 'part-*.jsonl' --input extra/ --tokenizer gpt2/ --output-prefix "
      "data/all --append-eod");
  return command;
}

}  // namespace longhaul::cli
