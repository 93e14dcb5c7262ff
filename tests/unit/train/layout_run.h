// A short training in some layout, on ranks that are threads, and what came of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "longhaul/comm/traffic.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

struct LayoutRun {
  std::vector<double> losses, norms;           // by step
  std::map<std::string, at::Tensor> weights;   // global tensors, FP32
  std::map<std::string, at::Tensor> moments2;  // global tensors, FP32
};

// Trains `recipe`, on made-up data with documents of many lengths and some tokens without a loss, for
// trainer.max_steps steps.
LayoutRun train_in_layout(const Recipe& recipe, int ranks);

// Largest difference over the largest magnitude, over all tensors.
double relative_difference(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b);

}  // namespace longhaul
