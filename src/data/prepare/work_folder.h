// The folder OUTPUT_PREFIX.preparing, in which the output of `prepare` grows until it is complete, with a journal of
// what is sealed. One process at a time works in it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/prepare/journal.h"
#include "longhaul/core/path_lock.h"

namespace longhaul {

class WorkFolder {
 public:
  // Makes the folder and locks it. What an earlier run left there is of use if it was sealed by a run with this
  // identity that could have passed over the same bad lines. Throws UserError when another process works here.
  WorkFolder(const std::string& output_prefix, const PrepareIdentity& identity, const std::string& on_bad_line);

  // What was sealed, by an earlier run that this one can go on from, or by this one.
  const std::optional<PrepareJournal>& journal() const { return journal_; }
  // Everything that the journal tells of must be durable already.
  void seal(PrepareJournal journal);
  void discard_journal();
  // Removes what another run sealed, with a word about it.
  void discard_others();
  // Gives the folder up, with what is sealed there.
  void leave();

  static std::filesystem::path path_of(const std::string& output_prefix) { return output_prefix + ".preparing"; }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& path() const { return folder_; }
  void remove();

 private:
  void clear();

  std::filesystem::path folder_;
  std::optional<PathLock> lock_;
  std::optional<PrepareJournal> journal_;
  std::vector<std::string> others_;  // in what the run differs that sealed what is here, if it does
};

}  // namespace longhaul
