#include "data/prepare/made_before.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/prepare/check_options.h"
#include "data/prepare/journal.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {

bool can_be_read_again(const std::vector<InputFile>& files) {
  return std::none_of(files.begin(), files.end(),
                      [](const InputFile& file) { return file.kind == InputKind::standard_input; });
}

std::string made_of(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                    const std::vector<InputFile>& files) {
  if (!can_be_read_again(files)) return "";
  uint64_t digest = xxh3(name_of_policy(options));
  for (const auto& [name, value] : identity_of(options, tokenizer, files)) {
    digest = xxh3(fmt::format("{}|{}", name, value), digest);
  }
  return hex64(digest);
}

std::optional<PrepareReport> made_before(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                                         const std::vector<InputFile>& files) {
  const std::string ours = made_of(options, tokenizer, files);
  PrepareReport report;
  report.already_there = true;
  report.files = static_cast<int64_t>(files.size());
  try {
    for (const std::string& key : options.json_keys) {
      const std::string prefix = dataset_of(options, key);
      const auto info = read_prepared_info(prefix);
      if (!info || ours.empty() || info->made_of != ours) return std::nullopt;
      const IndexedDatasetReader reader(prefix);  // looks at both files
      if (reader.tokens() != info->tokens) return std::nullopt;
      report.datasets.push_back({.key = key, .prefix = prefix, .documents = info->documents, .tokens = info->tokens});
    }
  } catch (const UserError&) {
    return std::nullopt;
  }
  return report;
}

}  // namespace longhaul
