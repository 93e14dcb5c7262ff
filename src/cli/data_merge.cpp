// llm-pretrain data merge: several prepared datasets become one.
#include <fmt/format.h>

#include <memory>

#include "cli/data_commands.h"
#include "longhaul/core/table.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/data/merge.h"

namespace longhaul::cli {

void add_merge(const Command& parent) {
  struct Options {
    std::vector<std::string> inputs;
    std::string output_prefix;
    bool overwrite = false;
  };
  auto options = std::make_shared<Options>();
  const Command command = parent.subcommand("merge", "Join prepared datasets, in the order given");
  command.option("--input", options->inputs, "prefixes, or their .idx files").required();
  command.option("--output-prefix", options->output_prefix, "the files are PREFIX.bin, PREFIX.idx and PREFIX.json")
      .required();
  command.flag("--overwrite", options->overwrite, "replace a dataset that is there");
  command.examples(
      "Examples:\n"
      "  llm-pretrain data merge --input data/corpus_part*of8_text_document.idx --output-prefix data/corpus_text_document\n"
      "Partitions of one corpus give what a single run of `prepare` gives; all of them must be there.");
  command.run([options] {
    const StopGuard stop;
    const MergeReport report = merge_datasets(options->inputs, options->output_prefix, options->overwrite);
    TextTable table({"dataset", "merged", "documents", "tokens"});
    for (size_t column = 1; column <= 3; ++column) table.align(column, TextTable::Align::right);
    table.add({options->output_prefix, group_digits(report.datasets), group_digits(report.documents),
               group_digits(report.tokens)});
    fmt::print("{}", table.str());
    if (!report.has_info) {
      fmt::print("No {}.json was written, because not all inputs have one: training can't check the tokenizer.\n",
                 options->output_prefix);
    }
  });
}

}  // namespace longhaul::cli
