// Where a model's mathematics comes from when the recipe doesn't spell it out: from its family, or from the
// checkpoint that it continues.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "longhaul/core/config/field_table.h"
#include "longhaul/model/model_config.h"

namespace longhaul {
namespace {

// What a run chooses anew. Initialisation is not among it: nothing is drawn, and an export names the checkpoint's.
constexpr std::array<std::string_view, 4> kOfTraining{"attention_dropout", "hidden_dropout", "embedding_dropout",
                                                      "vocab_multiple"};

// Carries what is of training from `recipe` into `result`, and notes where else the two differ. `preset` holds the
// values that nobody wrote down, which are not worth a note.
void merge(const FieldTable& table, const std::string& prefix, const void* recipe, const void* preset, void* result,
           std::vector<std::string>& notes) {
  for (const Field& field : table.rows) {
    const std::string path = prefix + field.name;
    if (path == "from" || path == "init_std" || path == "scaled_init") continue;
    if (field.type == FieldType::section) {
      merge(field.table(), path + ".", field.member(recipe), field.member(preset),
            const_cast<void*>(field.member(result)), notes);
      continue;
    }
    const FieldValue wanted = field.get(recipe), found = field.get(result);
    if (wanted == found) continue;
    if (std::find(kOfTraining.begin(), kOfTraining.end(), path) != kOfTraining.end()) {
      field.set(result, wanted);
      notes.push_back(
          fmt::format("model.{} is {} (the checkpoint says {})", path, field.format(wanted), field.format(found)));
    } else if (wanted != field.get(preset)) {
      notes.push_back(
          fmt::format("model.{} is {} (the recipe says {})", path, field.format(found), field.format(wanted)));
    }
  }
}

}  // namespace

ModelConfig family_preset(const std::string& family) {
  ModelConfig m;
  m.family = family;
  if (family == "gpt") {
    m.normalization = Normalization::layer_norm;
    m.activation = Activation::gelu_tanh;
    m.gated = false;
    m.position = PositionEmbedding::learned;
    m.qkv_bias = m.linear_bias = true;
    m.tied_embeddings = true;
  } else if (family == "nemotron") {
    m.normalization = Normalization::layer_norm;
    m.norm_zero_centered = true;
    m.activation = Activation::squared_relu;
    m.gated = false;
    m.rotary_fraction = 0.5;
  }
  return m;
}

ModelConfig continue_from(const ModelConfig& recipe, const ModelConfig& checkpoint, std::vector<std::string>* notes) {
  ModelConfig result = checkpoint.resolved();
  const ModelConfig preset = family_preset(recipe.family);
  std::vector<std::string> all;
  merge(fields<ModelConfig>(), "", &recipe, &preset, &result, all);
  if (notes != nullptr) *notes = std::move(all);
  result.from = recipe.from;
  return result.resolved();
}

}  // namespace longhaul
