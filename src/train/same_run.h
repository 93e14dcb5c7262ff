// Ranks may be started apart, each by hand, from its machine's own copy of a recipe, in a folder of its own. What must
// be the same for all of them is compared before anything is trained: ranks that differ would train a model that nobody
// asked for.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "longhaul/comm/exchange.h"
#include "longhaul/comm/rank_hosts.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

// Throws on all ranks: UserError with the first setting in which a rank's recipe differs from rank 0's. Where files are
// and how many threads a rank has may differ.
void require_same_settings(const Recipe& recipe, comm::Communicator* ranks);

// The same for the order of the training samples (Sampler::order_id), which tells of other files.
void require_same_order(std::string_view order, comm::Communicator* ranks);

// The same for a rank that does not find in `folder`, which rank 0 has made, what rank 0 puts there now. On network
// file systems it may come late: each rank waits for it so long.
void require_shared_folder(const std::filesystem::path& folder, comm::Communicator* ranks, const comm::RankHosts& hosts,
                           std::chrono::milliseconds patience);

}  // namespace longhaul
