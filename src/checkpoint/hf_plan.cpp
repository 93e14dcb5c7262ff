#include "checkpoint/hf_plan.h"

#include <unordered_map>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/model/parameter_layout.h"

namespace longhaul {
namespace {

constexpr std::string_view kLayer = "{i}";

// The pattern once for every layer, or as it is when it names no layer.
std::vector<std::string> expand(const std::string& pattern, int64_t layers) {
  const auto at = pattern.find(kLayer);
  if (at == std::string::npos) return {pattern};
  std::vector<std::string> result;
  for (int64_t i = 0; i < layers; ++i) {
    result.push_back(pattern.substr(0, at) + std::to_string(i) + pattern.substr(at + kLayer.size()));
  }
  return result;
}

}  // namespace

HfPlan make_hf_plan(const ModelFamily& family, const ModelConfig& model) {
  const HfMapping mapping = family.mapping(model);
  std::unordered_map<std::string, HfPlanRow> by_parameter;
  for (const auto& row : mapping.rows) {
    const auto parameters = expand(row.parameter, model.layers);
    for (size_t i = 0; i < parameters.size(); ++i) {
      HfPlanRow planned{
          .parameter = parameters[i], .keys = {}, .shape = {}, .source_shapes = {}, .transform = row.transform};
      for (const auto& key : row.hf_keys) planned.keys.push_back(expand(key, model.layers).at(i));
      LONGHAUL_CHECK(by_parameter.emplace(parameters[i], std::move(planned)).second, "family {}: two rows for {}",
                     family.name, parameters[i]);
    }
  }
  HfPlan plan{.rows = {},
              .ignored = {},
              .optional_prefix = mapping.optional_prefix,
              .tied_head_key = model.tied_embeddings ? mapping.tied_head_key : ""};
  for (const auto& spec : parameter_layout(model)) {
    const auto found = by_parameter.find(spec.name);
    LONGHAUL_CHECK(found != by_parameter.end(), "family {}: no row for {}", family.name, spec.name);
    HfPlanRow row = std::move(found->second);
    by_parameter.erase(found);
    row.shape = spec.shard.global_shape;
    row.source_shapes = row.transform->source_shapes(row.shape);
    LONGHAUL_CHECK(row.source_shapes.size() == row.keys.size(), "family {}: row {}", family.name, spec.name);
    plan.rows.push_back(std::move(row));
  }
  LONGHAUL_CHECK(by_parameter.empty(), "family {}: a row for {}, which the model lacks", family.name,
                 by_parameter.begin()->first);
  for (const auto& pattern : mapping.ignored_keys) {
    for (auto& key : expand(pattern, model.layers)) plan.ignored.push_back(std::move(key));
  }
  return plan;
}

}  // namespace longhaul
