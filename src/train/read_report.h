// What the ranks read when a run begins: one line, and with several ranks a table.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/comm/communicator.h"

namespace longhaul {

// Logs on the first rank how many parameters each rank holds and how many bytes it read for them from `source`. A
// collective call; null: one rank.
void report_reading(comm::Communicator* ranks, const std::string& source, int64_t parameters, int64_t bytes);

}  // namespace longhaul
