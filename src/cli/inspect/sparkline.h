// A curve as one line of text: ▇▅▄▃▂▂▁▁
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace longhaul::cli {

// At most `columns` wide; each column is the mean of its share of the values. Values that are not finite are
// skipped.
std::string sparkline(const std::vector<double>& values, size_t columns);

}  // namespace longhaul::cli
