// llm-pretrain prepare: text becomes .bin/.idx files of token ids.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "longhaul/core/error.h"
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
  out.token_text = [tokenizer](int32_t id) { return tokenizer->id_to_token(id); };
  return out;
}

// How long the documents are, in bars: "512 - 1,023 tokens  ########  1,234".
std::string length_histogram(const PreparedDataset& d) {
  constexpr double kBar = 40;
  TextTable table({"tokens", "documents", ""});
  table.align(0, TextTable::Align::right).align(1, TextTable::Align::right);
  const auto used = [&](size_t i) { return d.lengths[i] > 0; };
  size_t first = 0, last = d.lengths.size();
  while (first < last && !used(first)) ++first;
  while (last > first && !used(last - 1)) --last;
  const auto most = static_cast<double>(*std::max_element(d.lengths.begin(), d.lengths.end()));
  for (size_t i = first; i < last; ++i) {
    const int64_t low = i == 0 ? 0 : int64_t{1} << (i - 1), high = i == 0 ? 0 : (int64_t{1} << i) - 1;
    const auto bar = static_cast<size_t>(std::ceil(kBar * static_cast<double>(d.lengths[i]) / most));
    table.add({low == high ? group_digits(low) : fmt::format("{} - {}", group_digits(low), group_digits(high)),
               group_digits(d.lengths[i]), std::string(bar, '#')});
  }
  return table.str();
}

std::string duplicates_text(const PreparedDataset& d) {
  if (d.duplicates_share == 1) return group_digits(d.duplicates);
  return fmt::format("about {}", format_count(static_cast<double>(d.duplicates)));
}

void print_report(const PrepareReport& report, bool sentences) {
  if (report.already_there) {
    for (const PreparedDataset& d : report.datasets) {
      fmt::print("{} is there already, of the same input and options: {} documents, {} tokens\n", d.prefix,
                 group_digits(d.documents), group_digits(d.tokens));
    }
    fmt::print("nothing to do; --overwrite prepares it anew\n");
    return;
  }
  std::vector<std::string> columns{"dataset", "documents", "tokens", "tokens/byte", "longest", "empty", "duplicates"};
  if (sentences) columns.insert(columns.begin() + 2, "sentences");
  TextTable table(columns);
  for (size_t column = 1; column < columns.size(); ++column) table.align(column, TextTable::Align::right);
  for (const PreparedDataset& d : report.datasets) {
    std::vector<std::string> row{
        d.prefix,
        group_digits(d.documents),
        group_digits(d.tokens),
        fmt::format("{:.3f}", static_cast<double>(d.tokens) / static_cast<double>(std::max<int64_t>(d.text_bytes, 1))),
        group_digits(d.longest),
        group_digits(d.empty),
        duplicates_text(d)};
    if (sentences) row.insert(row.begin() + 2, group_digits(d.sequences));
    table.add(row);
  }
  fmt::print("{}", table.str());
  for (const PreparedDataset& d : report.datasets) {
    if (d.documents > 0) fmt::print("\nlengths in {}\n{}", d.prefix, length_histogram(d));
  }
  const auto bytes = static_cast<double>(report.bytes - report.resumed_bytes);
  fmt::print("\n{} of input in {} ({}/s)", format_bytes(bytes), format_duration(report.seconds),
             format_bytes(bytes / std::max(report.seconds, 1e-9)));
  if (report.resumed_bytes > 0)
    fmt::print("; {} were done before", format_bytes(static_cast<double>(report.resumed_bytes)));
  if (report.bad_lines > 0) fmt::print("; {} bad lines skipped", group_digits(report.bad_lines));
  if (!report.quarantine.empty()) fmt::print("; they are in {}", report.quarantine);
  fmt::print("\n");
}

// "3/8"
Partition parsed_partition(const std::string& text) {
  Partition partition;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, partition.index);
  if (index.ec == std::errc{} && index.ptr != end && *index.ptr == '/') {
    const auto count = std::from_chars(index.ptr + 1, end, partition.count);
    if (count.ec == std::errc{} && count.ptr == end) return partition;
  }
  throw UserError("--partition {} is no partition; the third of eight is 3/8", text);
}

struct SentenceOptions {
  bool split = false;
  std::string language;
  std::string model;
  bool keep_newlines = false;
};

// Null when texts stay whole.
std::shared_ptr<const SentenceSplitter> sentence_splitter(const SentenceOptions& options) {
  if (!options.split) return nullptr;
  const std::string language = options.language.empty() ? "english" : options.language;
  return std::make_shared<SentenceSplitter>(
      options.model.empty() ? find_sentence_model(language) : std::filesystem::path(options.model),
      options.keep_newlines);
}

}  // namespace

void add_prepare_command(const Command& app) {
  struct Options {
    PrepareOptions prepare;
    std::string tokenizer;
    bool no_special_tokens = false;
    std::string partition = "1/1";
    bool round_robin = false;
    int64_t seal_every = 256;
    SentenceOptions sentences;
  };
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("prepare", "Turn text into .bin/.idx files of token ids");
  PrepareOptions& prepare_options = options->prepare;
  command
      .option(
          "--input", prepare_options.inputs,
          "JSONL or text file (.gz, .zst, too), glob or folder, or - for standard input; may be given more than once")
      .required();
  command.option("--tokenizer", options->tokenizer, "Hugging Face folder with tokenizer.json").required();
  command.option("--output-prefix", prepare_options.output_prefix, "the files are PREFIX_<key>_document.bin and .idx")
      .required();
  command.option("--json-keys", prepare_options.json_keys, "keys of the JSON objects, each into files of its own")
      .separated_by(',')
      .show_default("text");
  command.flag("--append-eod", prepare_options.append_eod, "end each document with the tokenizer's end-of-text token");
  command.option("--workers", prepare_options.workers, "threads; 0: one a core").not_negative().show_default();
  command.flag("--no-special-tokens", options->no_special_tokens,
               "leave out what the tokenizer adds to a text of its own accord, such as a first token");
  SentenceOptions& sentences = options->sentences;
  const Option split = command.flag("--split-sentences", sentences.split,
                                    "each sentence is a sequence, in PREFIX_<key>_sentence, as BERT and T5 need it");
  const Option language = command
                              .option("--language", sentences.language,
                                      "whose sentence model of NLTK's punkt_tab to use; english if not given")
                              .needs(split);
  command.option("--sentence-model", sentences.model, "folder of that model, instead of where NLTK looks for it")
      .needs(split)
      .excludes(language);
  command.flag("--keep-newlines", sentences.keep_newlines, "sentences keep the spaces and newlines behind them")
      .needs(split);
  command.choice("--on-bad-line", prepare_options.on_bad_line,
                 {{"fail", OnBadLine::fail}, {"skip", OnBadLine::skip}, {"quarantine", OnBadLine::quarantine}},
                 "what to do about a line that is no JSON object with the keys");
  command.choice("--text-documents", prepare_options.text_documents,
                 {{"files", TextDocuments::files}, {"lines", TextDocuments::lines}},
                 "what a document is in text files: a file, or each line");
  command.option("--partition", options->partition, "I/N: the share of one of N machines; join them with `data merge`")
      .show_default();
  command.flag("--round-robin", options->round_robin,
               "deal documents to partitions in turn, as Megatron does without "
               "--keep-sequential-samples");
  command.option("--seal-every", options->seal_every, "MiB of text between points that a stopped run goes on from")
      .positive()
      .show_default();
  command.flag("--overwrite", prepare_options.overwrite, "replace datasets that are there");
  command.examples(
      "Examples:\n"
      "  llm-pretrain prepare --input corpus.jsonl --tokenizer llama-3/ --output-prefix data/corpus --append-eod\n"
      "  llm-pretrain prepare --input 'part-*.jsonl' --input notes/ --tokenizer gpt2/ --output-prefix data/all --append-eod\n"
      "  llm-pretrain prepare --input 'cc/*.jsonl.zst' --tokenizer gpt2/ --output-prefix data/cc --append-eod --partition 3/8\n"
      "A run that was stopped goes on where it was when the same command is given again; one that is complete does nothing.");
  command.run([options] {
    const StopGuard stop;
    PrepareOptions prepare_options = options->prepare;
    prepare_options.add_special_tokens = !options->no_special_tokens;
    prepare_options.partition = parsed_partition(options->partition);
    prepare_options.partition.round_robin = options->round_robin;
    prepare_options.seal_bytes = options->seal_every << 20;
    prepare_options.sentences = sentence_splitter(options->sentences);
    print_report(prepare(prepare_options, prepare_tokenizer(Tokenizer::from_folder(options->tokenizer))),
                 prepare_options.sentences != nullptr);
  });
}

}  // namespace longhaul::cli
