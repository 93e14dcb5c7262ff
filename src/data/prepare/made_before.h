// Datasets that an earlier run of `prepare` completed, and whether this run would make the same.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/prepare/input_files.h"
#include "data/prepare/journal.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

// Not standard input.
bool can_be_read_again(const std::vector<InputFile>& files);

// As PreparedInfo has it, of a run with this identity whose input can be read again. `bad_lines` were skipped.
PrepareIdentity made_of(const PrepareOptions& options, PrepareIdentity identity, int64_t bad_lines);

struct MadeBefore {
  std::optional<PrepareReport> report;         // all that this run would make is there
  std::map<std::string, std::string> reasons;  // otherwise: why a dataset that is there, by its prefix, isn't it
};
MadeBefore made_before(const PrepareOptions& options, const PrepareIdentity& identity,
                       const std::vector<InputFile>& files);

}  // namespace longhaul
