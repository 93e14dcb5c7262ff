// llm-pretrain prepare: text becomes .bin/.idx files of token ids.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/data/prepare.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::cli {
namespace {

PrepareTokenizer prepare_tokenizer(const std::shared_ptr<const Tokenizer>& tokenizer) {
  PrepareTokenizer out;
  out.vocab_size = tokenizer->vocab_size();
  out.eod_id = tokenizer->eos_id();
  out.fingerprint = hex64(tokenizer->fingerprint());
  out.make_encoder = [tokenizer](bool add_special_tokens) -> EncodeFunction {
    auto scratch = std::make_shared<EncodeScratch>(*tokenizer);
    return [tokenizer, scratch, add_special_tokens](std::string_view text, std::vector<int32_t>& ids) {
      tokenizer->encode(text, add_special_tokens, ids, *scratch);
    };
  };
  return out;
}

void print_report(const PrepareReport& report) {
  TextTable table({"dataset", "documents", "tokens", "longest", "empty"});
  for (size_t column = 1; column <= 4; ++column) table.align(column, TextTable::Align::right);
  int64_t tokens = 0;
  for (const PreparedDataset& d : report.datasets) {
    tokens += d.tokens;
    table.add({d.prefix, group_digits(d.documents), group_digits(d.tokens), group_digits(d.longest), group_digits(d.empty)});
  }
  fmt::print("{}", table.str());
  fmt::print("{} of text in {} ({}/s), {:.3f} tokens a byte", format_bytes(static_cast<double>(report.bytes)),
             format_duration(report.seconds), format_bytes(static_cast<double>(report.bytes) / std::max(report.seconds, 1e-9)),
             static_cast<double>(tokens) / static_cast<double>(std::max<int64_t>(report.bytes, 1)));
  if (report.bad_lines > 0) fmt::print("; {} bad lines skipped", group_digits(report.bad_lines));
  fmt::print("\n");
}

}  // namespace

void add_prepare_command(CLI::App& app) {
  struct Options {
    PrepareOptions prepare;
    std::string tokenizer;
    bool no_special_tokens = false;
    std::string on_bad_line = "fail";
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("prepare", "Turn text into .bin/.idx files of token ids");
  PrepareOptions& prepare_options = options->prepare;
  command
      ->add_option("--input", prepare_options.inputs,
                   "JSONL or text file, glob or folder, or - for standard input; may be given more than once")
      ->required();
  command->add_option("--tokenizer", options->tokenizer, "Hugging Face folder with tokenizer.json")->required();
  command->add_option("--output-prefix", prepare_options.output_prefix, "the files are PREFIX_<key>_document.bin and .idx")
      ->required();
  command->add_option("--json-keys", prepare_options.json_keys, "keys of the JSON objects, each into files of its own")
      ->delimiter(',')
      ->default_str("text");
  command->add_flag("--append-eod", prepare_options.append_eod, "end each document with the tokenizer's end-of-text token");
  command->add_option("--workers", prepare_options.workers, "threads; 0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--no-special-tokens", options->no_special_tokens,
                    "leave out what the tokenizer adds to a text of its own accord, such as a first token");
  command->add_option("--on-bad-line", options->on_bad_line, "what to do about a line that is no JSON object with the keys")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  llm-pretrain prepare --input corpus.jsonl --tokenizer llama-3/ --output-prefix data/corpus --append-eod\n"
      "  llm-pretrain prepare --input 'part-*.jsonl' --input notes/ --tokenizer gpt2/ --output-prefix data/all --append-eod");
  command->callback([options] {
    const StopGuard stop;
    PrepareOptions prepare_options = options->prepare;
    prepare_options.add_special_tokens = !options->no_special_tokens;
    prepare_options.on_bad_line = options->on_bad_line == "skip" ? OnBadLine::skip : OnBadLine::fail;
    print_report(prepare(prepare_options, prepare_tokenizer(Tokenizer::from_folder(options->tokenizer))));
  });
}

}  // namespace longhaul::cli
