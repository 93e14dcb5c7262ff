#include "cli/inspect/sparkline.h"

#include <algorithm>
#include <cmath>

namespace longhaul::cli {

std::string sparkline(const std::vector<double>& values, size_t columns) {
  static constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t width = std::min(columns, values.size());
  std::vector<double> means;
  for (size_t column = 0; column < width; ++column) {
    double sum = 0;
    int count = 0;
    for (size_t i = column * values.size() / width; i < (column + 1) * values.size() / width; ++i) {
      if (!std::isfinite(values[i])) continue;
      sum += values[i];
      ++count;
    }
    if (count > 0) means.push_back(sum / count);
  }
  if (means.empty()) return "";
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  const double range = *high - *low;
  std::string out;
  for (const double mean : means) {
    out += kBlocks[range > 0 ? static_cast<size_t>(std::lround((mean - *low) / range * 7)) : 0];
  }
  return out;
}

}  // namespace longhaul::cli
