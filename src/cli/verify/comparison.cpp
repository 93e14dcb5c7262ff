#include "cli/verify/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhaul/core/error.h"

namespace longhaul::cli {

LayerDifference compare_layer(std::string name, const at::Tensor& ours, const at::Tensor& theirs) {
  if (ours.sizes() != theirs.sizes()) {
    throw UserError(
        "{}: ours has {} values for {} tokens, transformers' {} for {}: the two folders hold different "
        "models",
        name, ours.numel(), ours.size(0), theirs.numel(), theirs.size(0));
  }
  LayerDifference out{std::move(name)};
  const at::Tensor a = ours.contiguous(), b = theirs.contiguous();
  const float *x = a.const_data_ptr<float>(), *y = b.const_data_ptr<float>();
  const int64_t tokens = a.size(0), size = a.size(1);
  for (int64_t t = 0; t < tokens; ++t, x += size, y += size) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < size; ++i) {
      const double d = std::abs(double{x[i]} - double{y[i]});
      out.absolute = d > out.absolute ? d : out.absolute;
      difference += d * d;
      norm += double{y[i]} * double{y[i]};
    }
    const double relative = std::sqrt(difference / std::max(norm, std::numeric_limits<double>::min()));
    out.relative = std::max(out.relative, std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity());
  }
  return out;
}

int64_t first_difference(const std::vector<int64_t>& ours, const std::vector<int64_t>& theirs) {
  const auto [a, b] = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  return a == ours.end() && b == theirs.end() ? -1 : a - ours.begin();
}

}  // namespace longhaul::cli
