// The folder OUTPUT_PREFIX.preparing, in which the output of `prepare` grows until it is complete, with a journal of
// what is sealed. One process at a time works in it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/prepare/journal.h"
#include "longhaul/core/path_lock.h"

namespace longhaul {

class WorkFolder {
 public:
  // Makes the folder and locks it. What an earlier run left there is kept if it was sealed by a run with this identity
  // that could have passed over the same bad lines; anything else is removed, with a word about why. Throws UserError
  // when another process works here.
  WorkFolder(const std::string& output_prefix, const PrepareIdentity& identity, const std::string& on_bad_line);

  // What was sealed, by an earlier run or this one.
  const std::optional<PrepareJournal>& journal() const { return journal_; }
  // Everything that the journal tells of must be durable already.
  void seal(PrepareJournal journal);
  void discard_journal();

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& path() const { return folder_; }
  void remove();

 private:
  void clear();

  std::filesystem::path folder_;
  std::optional<PathLock> lock_;
  std::optional<PrepareJournal> journal_;
};

}  // namespace longhaul
