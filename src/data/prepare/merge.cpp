#include "longhaul/data/merge.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include "data/publish.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

// Training would take ids of one tokenizer for those of another.
void check_same_tokenizer(const PreparedInfo& a, const std::string& a_prefix, const PreparedInfo& b,
                          const std::string& b_prefix) {
  const auto refuse = [&](const char* what) {
    throw UserError("cannot merge {} with {}: they were prepared with different {}; prepare them alike", a_prefix,
                    b_prefix, what);
  };
  if (a.tokenizer_fingerprint != b.tokenizer_fingerprint || a.vocab_size != b.vocab_size || a.eod_id != b.eod_id) {
    refuse("tokenizers");
  }
  if (a.append_eod != b.append_eod) refuse("--append-eod");
  if (a.add_special_tokens != b.add_special_tokens) refuse("--no-special-tokens");
  if (a.sentences != b.sentences) refuse("sentences (--split-sentences, its model and --keep-newlines)");
}

// Either none of them is a partition, or they are partitions 1 … n of one corpus.
void check_partitions(const std::vector<std::string>& prefixes, const std::vector<std::optional<PreparedInfo>>& infos) {
  const auto is_partition = [](const std::optional<PreparedInfo>& info) { return info && info->partition; };
  if (std::none_of(infos.begin(), infos.end(), is_partition)) return;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (!is_partition(infos[i])) throw UserError("cannot merge {}: it is no partition, and others are", prefixes[i]);
    const PreparedInfo& first = *infos.front();
    const Partition& partition = *infos[i]->partition;
    if (partition.count != first.partition->count || partition.round_robin != first.partition->round_robin ||
        infos[i]->corpus != first.corpus) {
      throw UserError("cannot merge {} with {}: they are partitions of different inputs, or cut differently",
                      prefixes.front(), prefixes[i]);
    }
    if (partition.index != static_cast<int64_t>(i) + 1) {
      throw UserError(
          "cannot merge {}: it is partition {} of {}, where partition {} should be; name all of them, in order",
          prefixes[i], partition.index, partition.count, i + 1);
    }
  }
  const int64_t count = infos.front()->partition->count;
  if (count != static_cast<int64_t>(infos.size())) {
    throw UserError("cannot merge: {} of {} partitions are named; name all of them, in order", infos.size(), count);
  }
}

}  // namespace

MergeReport merge_datasets(const std::vector<std::string>& inputs, const std::string& output_prefix, bool overwrite) {
  if (inputs.empty())
    throw UserError("nothing to merge: name at least one dataset, e.g. data/corpus_part1of2_text_document");
  const std::string output = dataset_prefix(output_prefix);
  std::vector<std::string> prefixes;
  std::vector<std::optional<PreparedInfo>> infos;
  std::set<std::string> seen{fs::weakly_canonical(output + ".idx").string()};
  MergeReport report;
  std::optional<TokenType> type;
  for (const std::string& input : inputs) {
    const IndexedDatasetReader reader(input);
    if (!seen.insert(fs::weakly_canonical(reader.prefix() + ".idx").string()).second) {
      throw UserError("cannot merge {}: it is named twice, or is the output itself", reader.prefix());
    }
    if (reader.multimodal())
      throw UserError("cannot merge {}: it is multimodal, and only text is merged", reader.prefix());
    if (type && *type != reader.token_type()) {
      throw UserError("cannot merge {} with {}: one has {} bytes an id, the other {}; they are of different tokenizers",
                      prefixes.front(), reader.prefix(), token_bytes(*type), token_bytes(reader.token_type()));
    }
    type = reader.token_type();
    prefixes.push_back(reader.prefix());
    infos.push_back(read_prepared_info(reader.prefix()));
    if (infos.front() && infos.back()) {
      check_same_tokenizer(*infos.front(), prefixes.front(), *infos.back(), prefixes.back());
    }
  }
  check_partitions(prefixes, infos);
  if (!overwrite) require_new(output);

  if (const auto parent = fs::path(output).parent_path(); !parent.empty()) make_folder(parent);
  remove_stale_partials(output);
  remove_stale_partials(prepared_info_path(output));
  const Unfinished unfinished;
  IndexedDatasetWriter writer(output, *type);
  for (const std::string& prefix : prefixes) {
    throw_if_interrupted();
    writer.add_dataset(IndexedDatasetReader(prefix));
  }
  report = {static_cast<int64_t>(prefixes.size()), writer.sequences(), writer.documents(), writer.tokens(),
            std::all_of(infos.begin(), infos.end(), [](const auto& info) { return info.has_value(); })};
  // Older information must not stand beside the new data.
  std::optional<AtomicFile> info_file;
  if (report.has_info) {
    PreparedInfo info = *infos.front();
    info.partition.reset();
    info.made_of.clear();
    info.documents = report.documents;
    info.tokens = report.tokens;
    for (const auto& other : infos) info.largest_id = std::max(info.largest_id, other->largest_id);
    info_file.emplace(prepared_info_path(output));
    info_file->write(prepared_info_text(info));
    info_file->sync();
  }
  std::error_code ignored;
  fs::remove(prepared_info_path(output), ignored);
  writer.finalize();
  if (info_file) info_file->commit();
  return report;
}

}  // namespace longhaul
