#include "data/prepare/journal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "longhaul/core/json_text.h"

namespace longhaul {

using Json = nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InputPosition, slice, byte, line, document)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DatasetSizes, sequences, documents, tokens)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PreparedDataset, key, prefix, documents, sequences, tokens, empty, longest,
                                   largest_id, text_bytes, lengths, duplicates, duplicates_share)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SealedKey, sizes, counts)
// What an older release didn't write has its default.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PrepareJournal, format, identity, position, seal, bytes, bad_lines,
                                                on_bad_line, quarantine_bytes, complete, overwrites, keys)

PrepareIdentity identity_of(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                            const std::vector<InputFile>& files) {
  const Partition& partition = options.partition;
  return {
      {"inputs", inputs_digest(files)},
      {"tokenizer", fmt::format("{}, {} ids", tokenizer.fingerprint, tokenizer.vocab_size)},
      {"JSON keys", fmt::format("{}", fmt::join(options.json_keys, ","))},
      {"end-of-document token", options.append_eod ? fmt::format("{}", *tokenizer.eod_id) : "none"},
      {"special tokens", options.add_special_tokens ? "with" : "without"},
      {"sentences", options.sentences ? options.sentences->fingerprint() : "not split"},
      {"text documents", options.text_documents == TextDocuments::files ? "files" : "lines"},
      {"partition",
       fmt::format("{}/{}{}", partition.index, partition.count, partition.round_robin ? " round robin" : "")},
  };
}

const char* name_of_policy(const PrepareOptions& options) {
  return options.on_bad_line == OnBadLine::quarantine ? "quarantine"
         : options.on_bad_line == OnBadLine::skip     ? "skip"
                                                      : "fail";
}

std::vector<std::string> differences(const PrepareIdentity& ours, const PrepareIdentity& theirs) {
  std::vector<std::string> names;
  for (const auto& [name, value] : ours) {
    const auto other = theirs.find(name);
    if (other == theirs.end() || other->second != value) names.push_back(name);
  }
  return names;
}

std::string PrepareJournal::text() const {
  return json_text(Json(*this), 1) + "\n";
}

std::optional<PrepareJournal> PrepareJournal::parse(std::string_view text) {
  try {
    return json_or_null(text).get<PrepareJournal>();
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace longhaul
