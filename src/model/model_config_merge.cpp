// Where a model's mathematics comes from when the recipe doesn't spell it out: from its family, or from the
// checkpoint that it continues.
#include <algorithm>
#include <array>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/error.h"
#include "longhaul/model/model_config.h"

namespace longhaul {
namespace {

constexpr std::array<std::string_view, 6> kOfTraining{
    "attention_dropout", "hidden_dropout", "embedding_dropout", "init_std", "scaled_init", "vocab_multiple"};
constexpr std::array<std::string_view, 2> kOfContext{"max_positions", "rope_theta"};

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

ModelConfig continue_from(const ModelConfig& recipe, const ModelConfig& checkpoint) {
  ModelConfig result = checkpoint.resolved();
  const ModelConfig preset = family_preset(recipe.family);
  const bool family_given = recipe.family != ModelConfig{}.family;
  for (const Field& field : fields<ModelConfig>().rows) {
    if (field.type == FieldType::section || field.name == "from") continue;
    const FieldValue wanted = field.get(&recipe), found = field.get(&result);
    if (contains(kOfTraining, field.name)) {
      field.set(&result, wanted);
    } else if (field.name == "family" ? family_given && wanted != found
                                      : wanted != field.get(&preset) && wanted != found) {
      if (!contains(kOfContext, field.name))
        throw UserError(
            "model.{} is {} in the recipe, but {} in {}/config.json. Remove the key from the recipe, or "
            "start "
            "from another checkpoint",
            field.name, field.format(wanted), field.format(found), recipe.from);
      field.set(&result, wanted);
    }
  }
  if (recipe.rope_scaling != RopeScaling{}) result.rope_scaling = recipe.rope_scaling;
  result.from = recipe.from;
  return result.resolved();
}

}  // namespace longhaul
