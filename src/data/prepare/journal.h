// What is sealed of a run of `prepare`, and what the run was about: enough to go on with it, or to know that it was
// about something else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset_pieces.h"
#include "data/prepare/block_reader.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

// Everything that the bytes of the output depend on, by names for people. A sealed part is used only by a run that
// agrees in all of it.
using PrepareIdentity = std::map<std::string, std::string>;
PrepareIdentity identity_of(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                            const std::vector<InputFile>& files);

// Of options.on_bad_line.
const char* name_of_policy(const PrepareOptions& options);

// The names of what `theirs` lacks of `ours`, or has otherwise.
std::vector<std::string> differences(const PrepareIdentity& ours, const PrepareIdentity& theirs);

struct SealedKey {
  DatasetSizes sizes;
  PreparedDataset counts;
};

struct PrepareJournal {
  static constexpr int64_t kFormat = 3;
  int64_t format = 0;  // of the release that wrote it
  PrepareIdentity identity;
  InputPosition position;  // the next document
  int64_t seal = 0;        // how many were made; the files of the duplicate counters bear the last one's number
  int64_t bytes = 0;       // of input, as it lies on the disk
  int64_t bad_lines = 0;
  std::string on_bad_line;  // what was done about them
  int64_t quarantine_bytes = 0;
  bool complete = false;    // the output only waits for its names
  bool overwrites = false;  // datasets that were there are to be replaced by it
  std::vector<SealedKey> keys;

  std::string text() const;
  // Nothing when the text is not that of a journal.
  static std::optional<PrepareJournal> parse(std::string_view text);
};

}  // namespace longhaul
