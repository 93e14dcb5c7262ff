// A family's table, written out for every layer: which Hugging Face tensors make which parameter.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/model/family.h"
#include "longhaul/model/parameter.h"

namespace longhaul {

struct HfPlanRow {
  std::string parameter;
  std::vector<std::string> keys;
  std::vector<int64_t> shape;                       // of the parameter, true vocabulary
  std::vector<std::vector<int64_t>> source_shapes;  // one for each key
  std::shared_ptr<const HfTransform> transform;
};

struct HfPlan {
  std::vector<HfPlanRow> rows;       // in the order of the parameters' layout
  std::vector<std::string> ignored;  // keys
  std::string optional_prefix;
  std::string tied_head_key;  // empty unless the model is tied
};

// Every parameter of the model has exactly one row; an internal error otherwise.
HfPlan make_hf_plan(const ModelFamily& family, const ModelConfig& model);

}  // namespace longhaul
