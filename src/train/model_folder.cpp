#include "longhaul/train/model_folder.h"

#include <c10/core/GradMode.h>

#include "longhaul/checkpoint/checkpoint_content.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/model/family.h"

namespace longhaul {
namespace {

constexpr const char* kManifest = "manifest.json";

}  // namespace

ModelFolder::ModelFolder(const std::filesystem::path& path) : path_(path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) {
    throw UserError("{} is not a folder: name a Hugging Face folder, a checkpoint or a run folder", path.string());
  }
  if (fs::exists(path / "config.json") && !fs::exists(path / "checkpoints")) {
    hf_ = std::make_unique<const HfFolder>(path);
    config_ = family_of_hf_config(hf_->config()).read_config(hf_->config()).resolved();
    side_car_ = hf_->side_car();
    return;
  }
  if (fs::exists(path / kManifest)) {
    checkpoint_ = std::make_unique<const CheckpointReader>(path);
  } else if (fs::exists(path / "checkpoints")) {
    auto latest = find_latest(path);
    if (!latest) throw UserError("the run {} has no checkpoint yet", path.string());
    checkpoint_ = std::make_unique<const CheckpointReader>(std::move(*latest));
    path_ = checkpoint_->path();
  } else {
    throw UserError("{} holds no model: neither config.json (Hugging Face) nor {} (a checkpoint) nor checkpoints/ (a run)",
                    path.string(), kManifest);
  }
  read_config(config_, checkpoint_->config().at("model"), (path_ / kManifest).string());
  config_ = config_.resolved();
  if (checkpoint_->hf()) side_car_ = *checkpoint_->hf();
}

ModelFolder::~ModelFolder() = default;

void ModelFolder::load(std::span<Parameter> parameters) const {
  if (checkpoint_) {
    for (const Parameter& p : parameters) {
      for_each_block(p, [&](const at::Tensor& value, const Block& block) {
        std::vector<int64_t> offsets(value.dim(), 0);
        offsets[block.dim] = block.begin;
        checkpoint_->read_slice(kModelGroup + p.name, offsets, value);
      });
    }
    return;
  }
  load_hf_weights(*hf_, family(config_.family), config_, parameters);
}

ParameterSource ModelFolder::parameters() const {
  LONGHAUL_CHECK(checkpoint_, "{} is a Hugging Face folder", path_.string());
  return checkpoint_->parameters();
}

std::filesystem::path ModelFolder::tokenizer_folder() const { return checkpoint_ ? path_ / "hf" : path_; }

bool ModelFolder::has_tokenizer() const { return std::filesystem::exists(tokenizer_folder() / "tokenizer.json"); }

std::shared_ptr<const Tokenizer> ModelFolder::tokenizer() const {
  if (!has_tokenizer()) {
    throw UserError("{} has no tokenizer.json, so text can't be turned into tokens", tokenizer_folder().string());
  }
  return Tokenizer::from_folder(tokenizer_folder());
}

std::unique_ptr<Transformer> load_model(const ModelFolder& folder, c10::ScalarType dtype, c10::Device device) {
  c10::AutoGradMode no_grad(false);
  auto model = std::make_unique<Transformer>(
      folder.config(), ParameterStore::Options{.dtype = dtype, .device = device, .main_grads = false});
  folder.load(model->parameters().parameters());
  return model;
}

}  // namespace longhaul
