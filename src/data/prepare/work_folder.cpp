#include "data/prepare/work_folder.h"

#include <fmt/ranges.h>

#include <system_error>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "journal.json";
constexpr int kAttempts = 100;

}  // namespace

WorkFolder::WorkFolder(const std::string& output_prefix, const PrepareIdentity& identity,
                       const std::string& on_bad_line)
    : folder_(path_of(output_prefix)) {
  // Whoever gives the folder up removes it: then this one makes it anew.
  for (int attempt = 0; !lock_ && attempt < kAttempts; ++attempt) {
    make_folder(folder_);
    lock_ = PathLock::try_existing(folder_);
    if (!lock_ && is_locked(folder_)) break;
  }
  if (!lock_) {
    throw UserError(
        "cannot prepare {}: another process does so (it works in {}); wait for it, or choose another prefix",
        output_prefix, folder_.string());
  }
  if (!fs::exists(file(kJournal))) {
    clear();
    return;
  }
  journal_ = PrepareJournal::parse(read_text(file(kJournal)));
  if (!journal_) {
    others_.emplace_back("its journal, which can't be read");
    return;
  }
  others_ = differences(identity, journal_->identity);
  if (journal_->format != PrepareJournal::kFormat) others_.emplace_back("the release that began it");
  if (journal_->bad_lines > 0 && journal_->on_bad_line != on_bad_line) others_.emplace_back("--on-bad-line");
  if (!others_.empty()) journal_.reset();
}

void WorkFolder::discard_others() {
  if (others_.empty()) return;
  log::warning("{} holds an unfinished run that differs in: {}. It can't be used and is removed", folder_.string(),
               fmt::join(others_, ", "));
  others_.clear();
  clear();
}

void WorkFolder::leave() {
  if (!journal_ && others_.empty()) remove();
}

void WorkFolder::seal(PrepareJournal journal) {
  write_text(file(kJournal), journal.text());
  journal_ = std::move(journal);
}

void WorkFolder::discard_journal() {
  journal_.reset();
  clear();
}

void WorkFolder::clear() {
  std::error_code ignored;
  fs::remove(file(kJournal), ignored);  // first: what is left must not look sealed
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder_)) left.push_back(entry.path());
  for (const fs::path& path : left) fs::remove_all(path, ignored);
}

void WorkFolder::remove() {
  clear();
  std::error_code ignored;
  fs::remove(folder_, ignored);
}

}  // namespace longhaul
