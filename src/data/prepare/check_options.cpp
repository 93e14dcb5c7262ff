#include "data/prepare/check_options.h"

#include <fmt/format.h>

#include <set>

#include "longhaul/core/error.h"

namespace longhaul {

void check_options(const PrepareOptions& options, const PrepareTokenizer& tokenizer) {
  if (options.output_prefix.empty()) throw UserError("no output prefix: say where the dataset goes, e.g. data/corpus");
  if (options.json_keys.empty()) throw UserError("no JSON key: name at least one, usually \"text\"");
  std::set<std::string> seen;
  for (const std::string& key : options.json_keys) {
    if (key.empty() || key.find('/') != std::string::npos) {
      throw UserError("the JSON key \"{}\" can't be part of a file's name", key);
    }
    if (!seen.insert(key).second) throw UserError("the JSON key \"{}\" is named twice", key);
  }
  if (options.workers < 0) throw UserError("{} workers: there must be at least one", options.workers);
  if (options.seal_bytes < 1)
    throw UserError("nothing can be sealed every {} bytes; 256 MiB is usual", options.seal_bytes);
  const Partition& partition = options.partition;
  if (partition.count < 1 || partition.index < 1 || partition.index > partition.count) {
    throw UserError("there is no partition {} of {}; the first of four is 1/4, the last 4/4", partition.index,
                    partition.count);
  }
  if (options.append_eod && !tokenizer.eod_id) {
    throw UserError(
        "the tokenizer has no end-of-document token (eos), which --append-eod needs; use another "
        "tokenizer, or prepare without --append-eod");
  }
}

void check_files(const PrepareOptions& options, const std::vector<InputFile>& files) {
  for (const InputFile& file : files) {
    const bool plain = file.kind == InputKind::text || file.kind == InputKind::text_lines;
    if (plain && options.json_keys.size() > 1) {
      throw UserError("{} is plain text, but {} JSON keys are asked for; rename it to .jsonl if it holds JSON lines",
                      file.path.string(), options.json_keys.size());
    }
    if (file.kind == InputKind::standard_input && options.partition.count > 1) {
      throw UserError(
          "standard input can't be cut into partitions: name files, or prepare each machine's own lines and "
          "merge them with `llm-pretrain data merge`");
    }
  }
}

std::string partition_prefix(const PrepareOptions& options) {
  const Partition& partition = options.partition;
  if (partition.count == 1) return options.output_prefix;
  const size_t width = fmt::formatted_size("{}", partition.count);
  return fmt::format("{}_part{:0{}}of{}", options.output_prefix, partition.index, width, partition.count);
}

std::string dataset_of(const PrepareOptions& options, const std::string& key) {
  return fmt::format("{}_{}_{}", partition_prefix(options), key, options.sentences ? "sentence" : "document");
}

}  // namespace longhaul
