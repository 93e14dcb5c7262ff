#include "longhaul/checkpoint/hf_export.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "checkpoint/folder_swap.h"
#include "checkpoint/hf_plan.h"
#include "longhaul/checkpoint/safetensors_writer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Written when the model has no source that names one: the release that the exports are tested with.
constexpr auto kTransformersVersion = "5.24.0";

using Shard = std::vector<TensorDeclaration>;

// Walks the tensors in the order of the layers and opens a new file where the next would make one too large.
std::vector<Shard> plan_shards(const HfPlan& plan, at::ScalarType dtype, uint64_t limit) {
  std::vector<Shard> shards(1);
  uint64_t size = 0;
  for (const auto& row : plan.rows) {
    for (size_t i = 0; i < row.keys.size(); ++i) {
      TensorDeclaration tensor{row.keys[i], dtype, row.source_shapes[i]};
      if (size > 0 && size + tensor.bytes() > limit) {
        shards.emplace_back();
        size = 0;
      }
      size += tensor.bytes();
      shards.back().push_back(std::move(tensor));
    }
  }
  return shards;
}

// Gives the Hugging Face tensors one by one. A parameter that makes several is split once; what is not asked
// for yet is kept, which is never much more than a layer.
class TensorProducer {
 public:
  TensorProducer(const HfPlan& plan, const ParameterSource& source, at::ScalarType dtype)
      : source_(source), dtype_(dtype) {
    for (const auto& row : plan.rows) {
      for (size_t i = 0; i < row.keys.size(); ++i) place_.emplace(row.keys[i], std::pair(&row, i));
    }
  }

  at::Tensor take(const std::string& key) {
    const auto [row, index] = place_.at(key);
    const auto [slot, fresh] = parts_.try_emplace(row->parameter);
    Parts& parts = slot->second;
    if (fresh) {
      parts.tensors = produce(*row);
      parts.left = parts.tensors.size();
    }
    at::Tensor result = std::exchange(parts.tensors[index], at::Tensor());
    if (--parts.left == 0) parts_.erase(slot);
    return result;
  }

 private:
  struct Parts {
    std::vector<at::Tensor> tensors;
    size_t left = 0;
  };

  std::vector<at::Tensor> produce(const HfPlanRow& row) const {
    at::Tensor value = source_(row.parameter).detach();
    LONGHAUL_CHECK(value.dim() == static_cast<int64_t>(row.shape.size()) && value.size(0) >= row.shape[0],
                   "parameter {} has the wrong shape", row.parameter);
    value = value.narrow(0, 0, row.shape[0]);
    LONGHAUL_CHECK(value.sizes() == at::IntArrayRef(row.shape), "parameter {} has the wrong shape", row.parameter);
    std::vector<at::Tensor> tensors = row.transform->split(value);
    for (auto& tensor : tensors) tensor = tensor.to(dtype_);
    return tensors;
  }

  const ParameterSource& source_;
  at::ScalarType dtype_;
  std::unordered_map<std::string, std::pair<const HfPlanRow*, size_t>> place_;
  std::unordered_map<std::string, Parts> parts_;
};

void write_weights(const fs::path& folder, const std::vector<Shard>& shards, TensorProducer& producer) {
  json weight_map = json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? "model.safetensors"
                                                : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    SafetensorsWriter writer(folder / name, shards[i]);
    for (const auto& tensor : writer.order()) {
      writer.write(producer.take(tensor.name));
      weight_map[tensor.name] = name;
      total += tensor.bytes();
    }
    writer.finish();
  }
  if (shards.size() == 1) return;
  const json index{{"metadata", {{"total_size", total}}}, {"weight_map", std::move(weight_map)}};
  write_text(folder / "model.safetensors.index.json", json_text(index, 2) + "\n");
}

json make_config(const ModelFamily& family, const ModelConfig& model, const HfSideCar& side_car, at::ScalarType dtype) {
  json config = side_car.config.is_object() ? side_car.config : json::object();
  family.write_config(model, config);
  config["architectures"] = json::array({family.hf_architecture});
  config["model_type"] = family.hf_model_type;
  config["torch_dtype"] = hf_dtype_name(dtype);  // every release reads this one; the newer name only where it was there
  if (config.contains("dtype")) config["dtype"] = hf_dtype_name(dtype);
  if (!config.contains("transformers_version")) config["transformers_version"] = kTransformersVersion;
  return config;
}

json make_generation_config(const json& config) {
  json generation{{"_from_model_config", true}, {"transformers_version", config["transformers_version"]}};
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (config.contains(key) && !config[key].is_null()) generation[key] = config[key];
  }
  return generation;
}

void check_output(const HfExportOptions& options) {
  const fs::path& output = options.output;
  if (output.empty()) throw UserError("no output folder is given for the Hugging Face model");
  if (!fs::exists(output)) return;
  if (!fs::is_directory(output)) throw UserError("{}: exists and is not a folder; choose another", output.string());
  if (fs::is_empty(output)) return;
  if (!options.overwrite)
    throw UserError("{}: exists and is not empty; choose another folder, or overwrite it (--overwrite)",
                    output.string());
  if (!fs::exists(output / "config.json")) {
    throw UserError("{}: is not a model folder (it has no config.json), so it is not overwritten; choose another",
                    output.string());
  }
}

// The written folder, read back: it must hold exactly the tensors of the family's table.
void verify(const fs::path& folder, const std::vector<Shard>& shards) {
  std::vector<std::string> wanted;
  for (const auto& shard : shards) {
    for (const auto& tensor : shard) wanted.push_back(tensor.name);
  }
  std::sort(wanted.begin(), wanted.end());
  LONGHAUL_CHECK(HfFolder(folder).keys() == wanted, "the exported folder lacks a tensor");
}

}  // namespace

ParameterSource parameter_source(std::span<const Parameter> parameters) {
  std::unordered_map<std::string, at::Tensor> by_name;
  for (const auto& parameter : parameters) by_name.emplace(parameter.name, parameter.value);
  return [by_name = std::move(by_name)](const std::string& name) {
    const auto found = by_name.find(name);
    LONGHAUL_CHECK(found != by_name.end(), "there is no parameter {}", name);
    return found->second;
  };
}

void export_hf(const ModelFamily& family, const ModelConfig& model, const ParameterSource& source,
               const HfSideCar& side_car, const HfExportOptions& options) {
  check_output(options);
  if (options.shard_bytes <= 0)
    throw UserError("the size of a shard is {} bytes; give a number above 0", options.shard_bytes);
  const at::NoGradGuard no_grad;
  const at::ScalarType dtype = options.dtype.value_or(side_car.dtype);
  const json config = make_config(family, model, side_car, dtype);
  const HfPlan plan = make_hf_plan(family, model);
  const auto shards = plan_shards(plan, dtype, static_cast<uint64_t>(options.shard_bytes));

  FolderSwap folder(fs::absolute(options.output));
  TensorProducer producer(plan, source, dtype);
  write_weights(folder.path(), shards, producer);
  write_text(folder.path() / "config.json", json_text(config, 2) + "\n");
  for (const auto& [name, bytes] : side_car.files) write_text(folder.path() / name, bytes);
  if (!side_car.files.contains("generation_config.json")) {
    write_text(folder.path() / "generation_config.json", json_text(make_generation_config(config), 2) + "\n");
  }
  verify(folder.path(), shards);
  folder.commit();
}

at::ScalarType parse_hf_dtype(const std::string& name) {
  if (name == "float32" || name == "fp32") return at::kFloat;
  if (name == "bfloat16" || name == "bf16") return at::kBFloat16;
  if (name == "float16" || name == "fp16") return at::kHalf;
  throw UserError("unknown type of weights '{}'; known are float32 (fp32), bfloat16 (bf16) and float16 (fp16)", name);
}

std::string hf_dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    case at::kDouble:
      return "float64";
    default:
      LONGHAUL_CHECK(false, "weights of type {} are not exported", c10::toString(dtype));
  }
  return {};
}

}  // namespace longhaul
