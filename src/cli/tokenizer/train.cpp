// llm-pretrain tokenizer train: a new tokenizer from texts.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>

#include "cli/tokenizer/tokenizer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/tokenizer/train.h"

namespace longhaul::cli {
namespace {

void print_report(const TrainTokenizerReport& report, const std::string& folder) {
  fmt::print("{}: {} tokens from {} of text ({} texts, {} different words) in {}\n", folder,
             group_digits(report.tokens), format_bytes(static_cast<double>(report.bytes)), group_digits(report.texts),
             group_digits(report.words), format_duration(report.seconds));
}

}  // namespace

void add_tokenizer_train(CLI::App& parent) {
  struct Options {
    TrainTokenizerOptions train;
    std::string output;
    bool overwrite = false;
  };
  auto options = std::make_shared<Options>();
  TrainTokenizerOptions& train = options->train;
  CLI::App* command = parent.add_subcommand("train", "Make a tokenizer from texts");
  command
      ->add_option("--input", train.inputs,
                   "JSONL or text file (each line is a text), glob or folder; may be given more than once")
      ->required();
  command->add_option("--output", options->output, "folder for tokenizer.json and tokenizer_config.json")->required();
  command->add_flag("--overwrite", options->overwrite, "replace the tokenizer that is there");
  const std::map<std::string, TokenizerKind> kinds{{"bpe", TokenizerKind::bpe}, {"unigram", TokenizerKind::unigram}};
  command->add_option("--kind", train.kind, "bpe (of bytes) or unigram")
      ->transform(CLI::CheckedTransformer(kinds))
      ->default_str("bpe");
  command->add_option("--vocab-size", train.vocab_size, "tokens, special ones and the alphabet included")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  const std::map<std::string, WordPattern> patterns{
      {"gpt2", WordPattern::gpt2}, {"llama3", WordPattern::llama3}, {"qwen2", WordPattern::qwen2}};
  command->add_option("--pattern", train.pattern, "bpe: how texts are cut into words: as gpt2, llama3 or qwen2")
      ->transform(CLI::CheckedTransformer(patterns))
      ->default_str("llama3");
  command->add_option("--min-frequency", train.min_frequency, "bpe: leave pairs alone that are rarer")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--special-tokens", train.special_tokens,
                   "get the first ids; for unigram the first one stands for what is unknown")
      ->delimiter(',')
      ->default_str("<|endoftext|> for bpe, <unk>,<s>,</s> for unigram");
  command->add_option("--key", train.key, "where in a JSON line the text is")->capture_default_str();
  command->add_option("--threads", train.threads, "0: one a core")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->footer(
      "Examples:\n"
      "  llm-pretrain tokenizer train --kind bpe --vocab-size 32000 --input corpus.jsonl --output my_tokenizer\n"
      "  llm-pretrain tokenizer train --kind unigram --vocab-size 16000 --input 'part-*.jsonl' --output my_tokenizer");
  command->callback([options] {
    if (!options->overwrite && std::filesystem::exists(std::filesystem::path(options->output) / "tokenizer.json")) {
      throw UserError("{} holds a tokenizer already: choose another --output, or add --overwrite", options->output);
    }
    print_report(train_tokenizer(options->train, options->output), options->output);
  });
}

}  // namespace longhaul::cli
