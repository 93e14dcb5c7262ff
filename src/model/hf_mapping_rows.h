// Rows that several families' tables share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhaul/model/family.h"

namespace longhaul {

class HfRows {
 public:
  explicit HfRows(const ModelConfig& model) : model_(model) {}

  void add(std::string parameter, std::vector<std::string> keys, std::shared_ptr<const HfTransform> transform) {
    rows_.push_back({std::move(parameter), std::move(keys), std::move(transform)});
  }

  // `ours`.weight and, if `bias`, `ours`.bias, each made of the tensors of the same ending under `theirs`.
  void linear(const std::string& ours, const std::vector<std::string>& theirs, bool bias,
              const std::shared_ptr<const HfTransform>& transform) {
    linear(ours, theirs, bias, transform, transform);
  }
  void linear(const std::string& ours, const std::vector<std::string>& theirs, bool bias,
              std::shared_ptr<const HfTransform> weight_transform, std::shared_ptr<const HfTransform> bias_transform) {
    add(ours + ".weight", with_ending(theirs, ".weight"), std::move(weight_transform));
    if (bias) add(ours + ".bias", with_ending(theirs, ".bias"), std::move(bias_transform));
  }

  // A norm's weight, and a LayerNorm's bias.
  void norm(const std::string& ours, const std::string& theirs, bool theirs_zero_centered) {
    add(ours + ".weight", {theirs + ".weight"}, hf::norm_weight(model_.norm_zero_centered, theirs_zero_centered));
    if (model_.normalization == Normalization::layer_norm) add(ours + ".bias", {theirs + ".bias"}, hf::identity());
  }

  std::vector<HfMappingRow> take() { return std::move(rows_); }

 private:
  static std::vector<std::string> with_ending(std::vector<std::string> names, const char* ending) {
    for (auto& name : names) name += ending;
    return names;
  }

  const ModelConfig& model_;
  std::vector<HfMappingRow> rows_;
};

}  // namespace longhaul
