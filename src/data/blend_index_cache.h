// The order of a blend, kept between runs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/blend_index.h"
#include "longhaul/data/split.h"

namespace longhaul {

// What the order of a blend depends on. The description of its datasets is there for the name of the files alone.
struct BlendOrder {
  std::vector<std::string> datasets;  // their descriptions
  Split split = Split::train;
  std::vector<double> weights;   // with the sum 1; empty: by size
  std::vector<int64_t> lengths;  // by size: the samples of each dataset, all above 0
  std::optional<int64_t> size;   // samples wanted, by size at most the sum of the lengths; none, by size: all
};

// The JSON text that Megatron's BlendedDataset gives itself.
std::string describe(const BlendOrder& order);

// Loads the index from `folder`, or builds it and stores it there, as index_cache.h says.
BlendIndex load_or_build_blend_index(const BlendOrder& order, const std::filesystem::path& folder);

}  // namespace longhaul
