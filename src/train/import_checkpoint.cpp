#include "longhaul/train/import_checkpoint.h"

#include "longhaul/checkpoint/checkpoint_writer.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/recipe.h"
#include "longhaul/train/model_folder.h"

namespace longhaul {

void import_checkpoint(const std::filesystem::path& hf_folder, const std::filesystem::path& output) {
  if (std::filesystem::exists(output)) {
    throw UserError("{} exists: choose another folder, or remove it first", output.string());
  }
  const ModelFolder folder(hf_folder);
  if (folder.is_checkpoint()) throw UserError("{} is a checkpoint already", hf_folder.string());
  const auto model = load_model(folder, at::kFloat, c10::Device(c10::DeviceType::CPU));
  Recipe recipe;
  recipe.model = folder.config();
  CheckpointContent content;
  content.config = write_json(fields<Recipe>(), &recipe);
  content.hf = folder.side_car();
  for (const Parameter& p : model->parameters().parameters()) {
    content.tensors.push_back({kModelGroup + p.name, p.value.detach().narrow(0, 0, p.shard.global_shape[0]), {}, {}});
  }
  write_checkpoint_folder(output, content);
}

}  // namespace longhaul
