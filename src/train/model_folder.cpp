#include "longhaul/train/model_folder.h"

#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>

#include "longhaul/checkpoint/checkpoint_content.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/model/family.h"
#include "longhaul/ops/host_memory.h"

namespace longhaul {
namespace {

constexpr const char* kManifest = "manifest.json";

// A run folder has a config.json too, the run's. So the weights decide; a folder with neither weights nor checkpoints
// is a Hugging Face folder from which the weights are missing.
bool is_hf_folder(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  if (!fs::exists(path / "config.json")) return false;
  return fs::exists(path / "model.safetensors") || fs::exists(path / "model.safetensors.index.json") ||
         !fs::exists(path / "checkpoints");
}

// A family knows the text of config.json, not where that lies.
ModelConfig config_of(const HfFolder& folder) {
  try {
    return family_of_hf_config(folder.config()).read_config(folder.config()).resolved();
  } catch (const UserError& error) {
    constexpr std::string_view kFile = "config.json";
    const std::string_view what = error.what();
    if (!what.starts_with(kFile)) throw;
    throw UserError("{}{}", (folder.path() / kFile).string(), what.substr(kFile.size()));
  }
}

}  // namespace

ModelFolder::ModelFolder(const std::filesystem::path& path) : path_(path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) {
    if (const std::string others = other_checkpoints(path); !others.empty()) {
      throw UserError("there is no checkpoint {}: {}", path.string(), others);
    }
    throw UserError("{} is not a folder: name a Hugging Face folder, a checkpoint or a run folder{}", path.string(),
                    hint_for_missing(path));
  }
  if (is_hf_folder(path)) {
    hf_ = std::make_unique<const HfFolder>(path);
    config_ = config_of(*hf_);
    // A checkpoint of this model must be readable: what its settings' ranges refuse is refused here, for families that
    // a program registered too.
    ModelConfig again;
    read_config(again, write_json(fields<ModelConfig>(), &config_), (path / "config.json").string());
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
    throw UserError(
        "{} holds no model: neither config.json (Hugging Face) nor {} (a checkpoint) nor checkpoints/ (a run)",
        path.string(), kManifest);
  }
  read_config(config_, checkpoint_->config().at("model"), (path_ / kManifest).string());
  config_ = config_.resolved();
  if (checkpoint_->hf()) side_car_ = *checkpoint_->hf();
}

ModelFolder::~ModelFolder() = default;

WeightReader ModelFolder::weights() const {
  if (hf_) {
    const auto weights = std::make_shared<const HfWeights>(*hf_, family(config_.family), config_);
    return [weights](std::span<Parameter> parameters) { return weights->load(parameters).bytes_read; };
  }
  return [&checkpoint = *checkpoint_](std::span<Parameter> parameters) {
    const int64_t before = checkpoint.bytes_read();
    for (const Parameter& p : parameters) {
      for_each_block(p, [&](const at::Tensor& value, const Block& block) {
        std::vector<int64_t> offsets(value.dim(), 0);
        offsets[block.dim] = block.begin;
        checkpoint.read_slice(kModelGroup + p.name, offsets, value);
      });
    }
    return checkpoint.bytes_read() - before;
  };
}

ParameterSource ModelFolder::parameters() const {
  if (!checkpoint_) {
    throw UserError(
        "{} is a Hugging Face folder, whose weights are read with weights(): give a checkpoint or a run folder",
        path_.string());
  }
  return checkpoint_->parameters();
}

std::filesystem::path ModelFolder::tokenizer_folder() const {
  return checkpoint_ ? path_ / "hf" : path_;
}

bool ModelFolder::has_tokenizer() const {
  return std::filesystem::exists(tokenizer_folder() / "tokenizer.json");
}

std::shared_ptr<const Tokenizer> ModelFolder::tokenizer() const {
  if (!has_tokenizer()) {
    throw UserError("{} has no tokenizer.json, so text can't be turned into tokens", tokenizer_folder().string());
  }
  return Tokenizer::from_folder(tokenizer_folder());
}

std::vector<int32_t> ModelFolder::stop_ids() const {
  const auto of = [](const nlohmann::json& config, const std::string& where) -> std::vector<int32_t> {
    const auto found = config.is_object() ? config.find("eos_token_id") : config.end();
    if (found == config.end() || found->is_null()) return {};
    const nlohmann::json list = found->is_array() ? *found : nlohmann::json::array({*found});
    std::vector<int32_t> ids;
    for (const auto& id : list) {
      if (!id.is_number_integer())
        throw UserError("{}: 'eos_token_id' is {}, but token ids are needed; correct the file", where,
                        json_text(*found));
      ids.push_back(id.get<int32_t>());
    }
    return ids;
  };
  std::vector<int32_t> ids;
  if (const auto file = side_car_.files.find("generation_config.json"); file != side_car_.files.end()) {
    ids = of(parse_json(file->second, "generation_config.json"), "generation_config.json");
  }
  if (ids.empty()) ids = of(side_car_.config, "config.json");
  if (ids.empty() && has_tokenizer()) {
    if (const auto id = tokenizer()->eos_id()) ids.push_back(*id);
  }
  return ids;
}

Recipe with_shape_of_model(const Recipe& recipe, int64_t ranks) {
  if (recipe.model.from.empty()) return resolved(recipe);
  Recipe shaped = recipe;
  shaped.model = continue_from(recipe.model, ModelFolder(recipe.model.from).config());
  validate_shape(shaped, ranks);
  return resolved(shaped);
}

std::unique_ptr<Transformer> load_model(const ModelFolder& folder, c10::ScalarType dtype, c10::Device device) {
  ops::keep_host_memory();  // also reports a lack of memory in plain words
  c10::AutoGradMode no_grad(false);
  ParameterStore::Options options;
  options.dtype = dtype;
  options.device = device;
  options.main_grads = false;
  auto model = std::make_unique<Transformer>(folder.config(), options);
  folder.weights()(model->parameters().parameters());
  return model;
}

}  // namespace longhaul
