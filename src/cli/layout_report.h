// A parallel layout as text for people.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/recipes/recipe.h"

namespace longhaul::cli {

// Who holds what and who talks to whom, when a resolved recipe runs on so many ranks. Of many ranks only
// those of the first copy of the model are listed, since the others hold the same, unless `all_ranks`. Throws
// UserError, with the nearest layouts, for a layout that doesn't fit.
std::string layout_report(const Recipe& recipe, int64_t ranks, bool all_ranks);

}  // namespace longhaul::cli
