#include "data/prepare/key_output.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "data/publish.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

fs::path with(fs::path stem, const std::string& extension) {
  stem += extension;
  return stem;
}

}  // namespace

void add_counts(const PreparedDataset& block, PreparedDataset& total) {
  total.documents += block.documents;
  total.sequences += block.sequences;
  total.tokens += block.tokens;
  total.empty += block.empty;
  total.longest = std::max(total.longest, block.longest);
  total.largest_id = std::max(total.largest_id, block.largest_id);
  total.text_bytes += block.text_bytes;
  for (size_t i = 0; i < total.lengths.size(); ++i) total.lengths[i] += block.lengths[i];
}

fs::path KeyOutput::stem(const WorkFolder& work, const std::string& key) {
  return work.file(key + "_document");
}

fs::path KeyOutput::hashes(int64_t seal) const {
  return with(stem_, fmt::format(".hashes-{}", seal));
}

KeyOutput::KeyOutput(const WorkFolder& work, TokenType type, std::string key, std::string prefix, size_t most_hashes)
    : stem_(stem(work, key)), pieces_(stem_, type), duplicates_(most_hashes) {
  counts_.key = std::move(key);
  counts_.prefix = std::move(prefix);
}

KeyOutput::KeyOutput(const WorkFolder& work, TokenType type, const SealedKey& sealed, int64_t seal, size_t most_hashes)
    : stem_(stem(work, sealed.counts.key)),
      pieces_(stem_, type, sealed.sizes),
      counts_(sealed.counts),
      duplicates_(most_hashes) {
  if (!fs::exists(hashes(seal)) || !duplicates_.restore(read_text(hashes(seal)))) {
    throw EnvironmentError("cannot go on with {}: it is missing or damaged", hashes(seal).string());
  }
}

void KeyOutput::add(const TokenizedKey& block) {
  pieces_.add_documents(block.tokens, block.lengths, block.documents);
  add_counts(block.counts, counts_);
  for (const uint64_t hash : block.hashes) duplicates_.add(hash);
}

SealedKey KeyOutput::seal(int64_t seal) {
  pieces_.sync();
  write_text(hashes(seal), duplicates_.save());
  return {pieces_.sizes(), report()};
}

void KeyOutput::forget_seals_before(int64_t seal) const {
  std::error_code ignored;
  fs::remove(hashes(seal - 1), ignored);
}

void KeyOutput::complete(PreparedInfo info) {
  pieces_.write_index();
  info.documents = counts_.documents;
  info.tokens = counts_.tokens;
  info.largest_id = counts_.largest_id;
  write_text(with(stem_, ".json"), prepared_info_text(info));
}

void KeyOutput::publish(const WorkFolder& work, const PreparedDataset& dataset, bool overwrite) {
  const fs::path from = stem(work, dataset.key), info = with(from, ".json");
  std::error_code ignored;
  if (!overwrite && fs::exists(with(from, ".bin"), ignored)) require_new(dataset.prefix);
  // Older information must not stand beside the new data.
  if (fs::exists(info, ignored)) fs::remove(prepared_info_path(dataset.prefix), ignored);
  publish_dataset(with(from, ".bin"), with(from, ".idx"), dataset.prefix);
  publish_file(info, prepared_info_path(dataset.prefix));
}

PreparedDataset KeyOutput::report() const {
  PreparedDataset report = counts_;
  report.duplicates = duplicates_.duplicates();
  report.duplicates_share = duplicates_.share();
  return report;
}

}  // namespace longhaul
