// llm-pretrain tokenizer train: a new tokenizer from texts.
#include <fmt/format.h>

#include <filesystem>

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

void add_tokenizer_train(const Command& parent) {
  struct Options {
    TrainTokenizerOptions train;
    std::string output;
    bool overwrite = false;
  };
  auto options = std::make_shared<Options>();
  TrainTokenizerOptions& train = options->train;
  const Command command = parent.subcommand("train", "Make a tokenizer from texts");
  command
      .option("--input", train.inputs,
              "JSONL or text file (each line is a text), glob or folder; may be given more than once")
      .required();
  command.option("--output", options->output, "folder for tokenizer.json and tokenizer_config.json").required();
  command.flag("--overwrite", options->overwrite, "replace the tokenizer that is there");
  command.choice("--kind", train.kind, {{"bpe", TokenizerKind::bpe}, {"unigram", TokenizerKind::unigram}},
                 "bpe (of bytes) or unigram");
  command.option("--vocab-size", train.vocab_size, "tokens, special ones and the alphabet included")
      .positive()
      .show_default();
  command.choice("--pattern", train.pattern,
                 {{"gpt2", WordPattern::gpt2}, {"llama3", WordPattern::llama3}, {"qwen2", WordPattern::qwen2}},
                 "bpe: how texts are cut into words: as gpt2, llama3 or qwen2");
  command.option("--min-frequency", train.min_frequency, "bpe: leave pairs alone that are rarer")
      .not_negative()
      .show_default();
  command
      .option("--special-tokens", train.special_tokens,
              "get the first ids; for unigram the first one stands for what is unknown")
      .separated_by(',')
      .show_default("<|endoftext|> for bpe, <unk>,<s>,</s> for unigram");
  command.option("--key", train.key, "where in a JSON line the text is").show_default();
  command.option("--threads", train.threads, "0: one a core").not_negative().show_default();
  command.examples(
      "Examples:\n"
      "  llm-pretrain tokenizer train --kind bpe --vocab-size 32000 --input corpus.jsonl --output my_tokenizer\n"
      "  llm-pretrain tokenizer train --kind unigram --vocab-size 16000 --input 'part-*.jsonl' --output my_tokenizer");
  command.run([options] {
    if (!options->overwrite && std::filesystem::exists(std::filesystem::path(options->output) / "tokenizer.json")) {
      throw UserError("{} holds a tokenizer already: choose another --output, or add --overwrite", options->output);
    }
    print_report(train_tokenizer(options->train, options->output), options->output);
  });
}

}  // namespace longhaul::cli
