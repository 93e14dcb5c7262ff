#include "data/prepare/made_before.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/prepare/check_options.h"
#include "data/prepare/journal.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {

namespace {

constexpr const char* kBadLines = "--on-bad-line";

// In what the dataset was made otherwise; empty where it wasn't.
std::string difference(const PrepareIdentity& ours, const std::optional<PreparedInfo>& info, const char* on_bad_line) {
  if (!info || info->made_of.empty() || ours.empty()) return ", and nothing tells whether it was made of the same";
  std::vector<std::string> names = differences(ours, info->made_of);
  const auto skipped = info->made_of.find(kBadLines);
  if (skipped != info->made_of.end() && skipped->second != on_bad_line) names.emplace_back(kBadLines);
  return names.empty() ? "" : fmt::format(", but made with other {}", fmt::join(names, ", "));
}

}  // namespace

bool can_be_read_again(const std::vector<InputFile>& files) {
  return std::none_of(files.begin(), files.end(),
                      [](const InputFile& file) { return file.kind == InputKind::standard_input; });
}

PrepareIdentity made_of(const PrepareOptions& options, PrepareIdentity identity, int64_t bad_lines) {
  if (bad_lines > 0) identity.emplace(kBadLines, name_of_policy(options));
  return identity;
}

MadeBefore made_before(const PrepareOptions& options, const PrepareIdentity& identity,
                       const std::vector<InputFile>& files) {
  const PrepareIdentity ours = can_be_read_again(files) ? identity : PrepareIdentity();
  PrepareReport report;
  report.already_there = true;
  report.files = static_cast<int64_t>(files.size());
  MadeBefore before;
  for (const std::string& key : options.json_keys) {
    const std::string prefix = dataset_of(options, key);
    try {
      const auto info = read_prepared_info(prefix);
      if (std::string other = difference(ours, info, name_of_policy(options)); !other.empty()) {
        before.reasons.emplace(prefix, std::move(other));
        continue;
      }
      const IndexedDatasetReader reader(prefix);  // looks at both files
      if (reader.tokens() != info->tokens) throw UserError("{}.bin and {}.json disagree", prefix, prefix);
      report.datasets.push_back({.key = key, .prefix = prefix, .documents = info->documents, .tokens = info->tokens});
    } catch (const UserError& error) {
      before.reasons.emplace(prefix, fmt::format(", but of no use ({})", error.what()));
    }
  }
  if (report.datasets.size() == options.json_keys.size()) {
    before.report = std::move(report);
  } else {
    for (const PreparedDataset& made : report.datasets)
      before.reasons.emplace(made.prefix, ", of the same input, but what another of --json-keys makes is not");
  }
  return before;
}

}  // namespace longhaul
