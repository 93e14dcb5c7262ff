// A model family: how its Hugging Face config.json and tensors map to ours. A family is data, four small
// functions and a table; a program adds one of its own with `register_family` before it loads a model.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhaul/model/model_config.h"
#include "longhaul/model/shard.h"

namespace longhaul {

// An invertible change of layout between one parameter of ours and one or more Hugging Face tensors.
// Stateless and exact: `split(merge(x))` gives x bit for bit. Works for any dtype, and on tensors of one
// dimension (biases).
class HfTransform {
 public:
  virtual ~HfTransform() = default;
  // Shapes of the Hugging Face tensors for our parameter of shape `ours` (true vocabulary, unpadded).
  virtual std::vector<std::vector<int64_t>> source_shapes(const std::vector<int64_t>& ours) const = 0;
  virtual at::Tensor merge(std::span<const at::Tensor> sources) const = 0;
  // `merge(sources).narrow(block.dim, block.begin, block.length)`, or a view with the same values. What Longhaul brings
  // along touches no other elements of the sources, so that a rank reads from a file only what it holds.
  virtual at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const;
  virtual std::vector<at::Tensor> split(const at::Tensor& ours) const = 0;
};

namespace hf {
std::shared_ptr<const HfTransform> identity();
std::shared_ptr<const HfTransform> transpose();  // Conv1D [in, out] -> [out, in]
std::shared_ptr<const HfTransform> qkv(int64_t groups, int64_t heads_per_group, int64_t head_dim);  // q, k, v
// GPT-2's fused c_attn: [h, 3h] when `transposed`, or its bias [3h].
std::shared_ptr<const HfTransform> fused_qkv(int64_t heads, int64_t head_dim, bool transposed);
std::shared_ptr<const HfTransform> gate_up();  // gate, up -> rows of both
// The identity where both sides store gamma, or both gamma - 1. Otherwise the one transform that does
// arithmetic: it adds or takes away 1 in FP32 or wider, and is exact only up to that rounding.
std::shared_ptr<const HfTransform> norm_weight(bool ours_zero_centered, bool theirs_zero_centered);
}  // namespace hf

// One row of a family's table. `{i}` in both names is the layer's number.
struct HfMappingRow {
  std::string parameter;
  std::vector<std::string> hf_keys;
  std::shared_ptr<const HfTransform> transform;
};

struct HfMapping {
  std::vector<HfMappingRow> rows;
  // Buffers that files may hold, e.g. "model.layers.{i}.self_attn.rotary_emb.inv_freq".
  std::vector<std::string> ignored_keys;
  std::string optional_prefix;  // may be missing from every key of a file (GPT-2: "transformer.")
  std::string tied_head_key;    // with tied embeddings: ignored when equal to the embedding, else an error
};

struct ModelFamily {
  std::string name;             // "llama"
  std::string hf_model_type;    // config.json's model_type
  std::string hf_architecture;  // config.json's architectures[0]
  // Reads config.json. Every field that changes numbers is read or refused by name; unknown fields are
  // refused unless they are known to be harmless.
  ModelConfig (*read_config)(const nlohmann::json& config);
  // Writes the fields that Longhaul owns into `config` (the source's config.json, or an empty object).
  // Refuses, by name, a feature that the Hugging Face architecture lacks.
  void (*write_config)(const ModelConfig& model, nlohmann::json& config);
  HfMapping (*mapping)(const ModelConfig& model);
};

const ModelFamily& family(std::string_view name);                      // UserError that lists the known ones
const ModelFamily& family_of_hf_config(const nlohmann::json& config);  // by model_type; UserError likewise
void register_family(ModelFamily family);

}  // namespace longhaul
