// Where a model's mathematics comes from when the recipe doesn't spell it out: from its family, or from the
// checkpoint that it continues.
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "longhaul/core/config/field_table.h"
#include "longhaul/model/model_config.h"

namespace longhaul {
namespace {

constexpr std::array<std::string_view, 6> kOfTraining{
    "attention_dropout", "hidden_dropout", "embedding_dropout", "init_std", "scaled_init", "vocab_multiple"};
bool contains(std::span<const std::string_view> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
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
  for (const Field& field : fields<ModelConfig>().rows) {
    if (field.type == FieldType::section || field.name == "from") continue;
    const FieldValue wanted = field.get(&recipe), found = field.get(&result);
    if (wanted == found) continue;
    const bool of_training = contains(kOfTraining, field.name);
    if (of_training) field.set(&result, wanted);
    // A value that nobody wrote down is not worth a note.
    if (notes == nullptr || (!of_training && wanted == field.get(&preset))) continue;
    if (of_training && (field.name.starts_with("init") || field.name == "scaled_init")) continue;  // nothing is drawn
    notes->push_back(fmt::format("model.{} is {} ({} says {})", field.name, field.format(of_training ? wanted : found),
                                 of_training ? "the checkpoint" : "the recipe", field.format(of_training ? found : wanted)));
  }
  result.from = recipe.from;
  return result.resolved();
}

}  // namespace longhaul
