// How far two tensors of one layer are apart.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace longhaul::cli {

struct LayerDifference {
  std::string name;
  double absolute = 0;  // the greatest of all elements
  double relative = 0;  // |ours - theirs| / |theirs| of the worst token
};

// Both [tokens, size]. Values that are no numbers count as infinitely far apart.
LayerDifference compare_layer(std::string name, const at::Tensor& ours, const at::Tensor& theirs);

// The first position at which the two part; -1 when they are equal.
int64_t first_difference(const std::vector<int64_t>& ours, const std::vector<int64_t>& theirs);

}  // namespace longhaul::cli
