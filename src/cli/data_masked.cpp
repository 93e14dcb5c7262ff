// llm-pretrain data masked: samples for BERT or T5, as text.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/data_commands.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/table.h"
#include "longhaul/data/bert_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/t5_dataset.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string prefix, tokenizer, kind;
  bool t5() const { return kind == "t5"; }
  int64_t count = 3, sequence_length = 512, decoder_length = 128, seed = 1234, max_ngram = 0;
  double mask_probability = 0.15, short_probability = 0.1;
  bool single_sentences = false;
};

class Printer {
 public:
  Printer(const Options& options, const std::string& prefix)
      : options_(options), prefix_(prefix), tokenizer_(Tokenizer::from_folder(options.tokenizer)) {}

  const Tokenizer& tokenizer() const { return *tokenizer_; }

  // The sentences and documents that a sample is of, then the lines that `print` writes.
  template <typename Sample, typename Dataset, typename Print>
  void print(const Dataset& dataset, Print print) const {
    Sample sample;
    const int64_t count = std::min(options_.count, dataset.size());
    for (int64_t i = 0; i < count; ++i) {
      const SentenceSamples::Row row = dataset.samples().row(i);
      dataset.get(i, sample);
      fmt::print("sample {}  {}: document {}, {} sentences from {}{}\n", i, prefix_,
                 dataset.samples().document_of(row.begin), row.end - row.begin, row.begin,
                 sample.truncated ? fmt::format(", cut to {} tokens", row.target) : "");
      print(sample);
    }
    fmt::print("\n{} samples in one epoch\n", group_digits(dataset.size()));
  }

  void line(const char* name, const std::vector<int64_t>& ids, int64_t length) const {
    const std::vector<int32_t> shown(ids.begin(), ids.begin() + length);
    const std::string text = tokenizer_->decode(shown);
    fmt::print("  {:<8} {}\n", name, lenient_json_text(nlohmann::json(text)));
  }

 private:
  const Options& options_;
  const std::string& prefix_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

void apply(const Options& options, SentenceDatasetOptions& to) {
  to.sequence_length = options.sequence_length;
  to.seed = static_cast<uint32_t>(options.seed);
  to.short_probability = options.short_probability;
  to.masking.probability = options.mask_probability;
  if (options.max_ngram > 0) to.masking.max_ngram = options.max_ngram;
}

void masked(const Options& options) {
  const auto reader = std::make_shared<const IndexedDatasetReader>(options.prefix);
  const Printer printer(options, reader->prefix());
  const MaskVocabulary vocabulary = mask_vocabulary(printer.tokenizer());
  if (options.t5()) {
    T5DatasetOptions data;
    apply(options, data);
    data.decoder_length = options.decoder_length;
    printer.print<T5Sample>(T5Dataset(reader, vocabulary, data), [&](const T5Sample& sample) {
      printer.line("encoder", sample.encoder, sample.encoder_length);
      printer.line("decoder", sample.decoder, sample.decoder_length);
      printer.line("labels", sample.labels, sample.decoder_length);
    });
    return;
  }
  BertDatasetOptions data;
  apply(options, data);
  data.sentence_pairs = !options.single_sentences;
  printer.print<BertSample>(BertDataset(reader, vocabulary, data), [&](const BertSample& sample) {
    printer.line("tokens", sample.tokens, sample.length);
    std::vector<int64_t> hidden;
    std::copy_if(sample.labels.begin(), sample.labels.end(), std::back_inserter(hidden),
                 [](int64_t id) { return id >= 0; });
    printer.line("hidden", hidden, std::ssize(hidden));
    if (data.sentence_pairs) fmt::print("  {:<8} {}\n", "order", sample.swapped ? "exchanged" : "as in the text");
  });
}

}  // namespace

void add_masked(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command =
      parent.subcommand("masked", "Print samples for BERT or T5 from sentence-level data, with what is hidden");
  command.option("PREFIX", options->prefix, "data whose documents are cut into sentences").required();
  command.option("--as", options->kind, "bert or t5").required().one_of({"bert", "t5"});
  command.option("--tokenizer", options->tokenizer, "folder of the tokenizer that the data was prepared with")
      .required();
  command.option("--samples", options->count, "to print").positive().show_default();
  command.option("--sequence-length", options->sequence_length, "tokens of a sample; for T5 of the encoder")
      .show_default();
  command.option("--decoder-length", options->decoder_length, "T5: tokens for the decoder").show_default();
  command.option("--mask-probability", options->mask_probability, "share of the tokens that is hidden").show_default();
  command.option("--short-probability", options->short_probability, "share of samples meant to be shorter")
      .show_default();
  command.option("--max-ngram", options->max_ngram, "words hidden in a row, at most; 0: 3 for BERT, 10 for T5")
      .show_default();
  command.flag("--no-pairs", options->single_sentences, "BERT: no second part, whose order is to be told");
  command.option("--seed", options->seed, "of the order and the masks")
      .between(int64_t{1}, int64_t{2147483647})
      .show_default();
  command.examples(
      "Example:\n"
      "  llm-pretrain data masked data/books_text_sentence --as bert --tokenizer BERT_DIR\n"
      "The samples are Megatron's, token for token. Longhaul doesn't train BERT and T5 models; its library serves them the data.");
  command.run([options] { masked(*options); });
}

}  // namespace longhaul::cli
