// The order of a GPT dataset, kept between runs.
#pragma once

#include <filesystem>
#include <string>

#include "data/gpt_index.h"

namespace longhaul {

// Loads the index of the dataset with this description from `folder`, or builds it and stores it there, as
// index_cache.h says. It is built anew when the .idx has changed since.
GptIndex load_or_build_gpt_index(const IndexedDatasetReader& reader, const std::string& description, Split split,
                                 const GptOrder& order, const EpochPlan& plan, const std::filesystem::path& folder);

}  // namespace longhaul
