// What a training checkpoint holds, in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "longhaul/checkpoint/hf_folder.h"

namespace longhaul {

// A whole tensor, or a rectangular slice of one.
struct NamedTensor {
  // "group/name", e.g. "model/decoder.final_layernorm.weight" or "optimizer.exp_avg/output_layer.weight".
  // Groups are stored in files of their own, whose tensors carry the plain names.
  std::string name;
  at::Tensor value;                   // any device, contiguous or not
  std::vector<int64_t> global_shape;  // of the whole tensor; empty: `value` is whole
  std::vector<int64_t> offsets;       // where the slice begins in each dimension; empty: at 0
};

struct CheckpointContent {
  int64_t step = 0;
  int64_t consumed_samples = 0;
  int64_t consumed_tokens = 0;
  std::vector<NamedTensor> tensors;  // the slices of one name must cover it exactly
  nlohmann::json config;             // the run's resolved configuration
  nlohmann::json state;         // whatever else the trainer needs to go on: schedules, random streams, data position
  std::optional<HfSideCar> hf;  // for a model that came from, or goes to, Hugging Face
};

inline constexpr auto kModelGroup = "model/";  // FP32 master weights, by the names of the parameter layout

}  // namespace longhaul
