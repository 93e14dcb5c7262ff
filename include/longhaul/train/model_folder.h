#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "longhaul/model/parameter.h"
#include "longhaul/model/transformer.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

class CheckpointReader;

using WeightReader = std::function<int64_t(std::span<Parameter> parameters)>;

// A model on disk: a Hugging Face folder, one of our checkpoints, or a run folder (its newest good checkpoint).
class ModelFolder {
 public:
  // Reads the configuration; the weights stay where they are. UserError when `path` is none of the three.
  explicit ModelFolder(const std::filesystem::path& path);
  ~ModelFolder();

  const std::filesystem::path& path() const { return path_; }
  bool is_checkpoint() const { return checkpoint_ != nullptr; }
  const CheckpointReader& checkpoint() const { return *checkpoint_; }
  const ModelConfig& config() const { return config_; }  // resolved
  const HfSideCar& side_car() const { return side_car_; }

  // What fills parameters of a model of `config()`, or of one that differs only in what weights don't depend on, a few
  // or all at a time, or some rows of them as their `blocks` say, and returns the bytes that it read for them. The
  // folder outlives it. UserError where the weights are not those that its configuration describes.
  WeightReader weights() const;
  // The weights by parameter name, without a model; the folder must outlive it. UserError for a Hugging Face
  // folder, whose tensors are others.
  ParameterSource parameters() const;
  // The tokenizer that came with the model; UserError when there is none.
  std::shared_ptr<const Tokenizer> tokenizer() const;
  bool has_tokenizer() const;
  // The tokens that end a text, as transformers finds them: those of generation_config.json, else of config.json, else
  // the tokenizer's.
  std::vector<int32_t> stop_ids() const;

 private:
  std::filesystem::path tokenizer_folder() const;

  std::filesystem::path path_;
  std::unique_ptr<const HfFolder> hf_;
  std::unique_ptr<const CheckpointReader> checkpoint_;
  ModelConfig config_;
  HfSideCar side_car_;
};

// The recipe resolved and checked; with model.from its model has that folder's shape. `ranks`: of the run, which the
// layout must fit; 0: not known.
Recipe with_shape_of_model(const Recipe& recipe, int64_t ranks = 0);

// A model for evaluation and generation, without gradients, filled from `folder`.
std::unique_ptr<Transformer> load_model(const ModelFolder& folder, c10::ScalarType dtype, c10::Device device);

}  // namespace longhaul
