// The output of one key while it grows in the work folder, and what the report says of it.
#pragma once

#include <filesystem>
#include <string>

#include "data/dataset_pieces.h"
#include "data/prepare/block_tokenizer.h"
#include "data/prepare/duplicate_counter.h"
#include "data/prepare/journal.h"
#include "data/prepare/work_folder.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul {

// Adds what a block, or another key's block, holds.
void add_counts(const PreparedDataset& block, PreparedDataset& total);

class KeyOutput {
 public:
  // Begins a dataset.
  KeyOutput(const WorkFolder& work, TokenType type, std::string key, std::string prefix, size_t most_hashes);
  // Goes on where seal number `seal` was made. Throws EnvironmentError when the files hold less than was sealed.
  KeyOutput(const WorkFolder& work, TokenType type, const SealedKey& sealed, int64_t seal, size_t most_hashes);

  void add(const TokenizedKey& block);

  // Makes all of it durable, as seal number `seal`; the one before stays good.
  SealedKey seal(int64_t seal);
  // The journal tells of this seal, so that earlier ones have served.
  void forget_seals_before(int64_t seal) const;

  // Writes the index and the information, durably: what can still fail for want of space fails here.
  void complete(PreparedInfo info);
  // Gives the files of a completed dataset their names. May be repeated. Throws UserError where others have them,
  // unless `overwrite`.
  static void publish(const WorkFolder& work, const PreparedDataset& dataset, bool overwrite);

  // With the duplicates.
  PreparedDataset report() const;

 private:
  static std::filesystem::path stem(const WorkFolder& work, const std::string& key);
  std::filesystem::path hashes(int64_t seal) const;

  std::filesystem::path stem_;
  DatasetPieces pieces_;
  PreparedDataset counts_;
  DuplicateCounter duplicates_;
};

}  // namespace longhaul
