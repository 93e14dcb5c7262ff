// Writes a Hugging Face folder from parameters, or from anything that can produce them by name, such as a
// checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/model/family.h"
#include "longhaul/model/parameter.h"

namespace longhaul {

// A parameter of the layout by its name: global shape, rows that pad the vocabulary allowed; any device and
// type.
using ParameterSource = std::function<at::Tensor(const std::string& name)>;
ParameterSource parameter_source(std::span<const Parameter> parameters);

struct HfExportOptions {
  std::filesystem::path output;
  std::optional<at::ScalarType> dtype;  // F32, BF16 or F16; unset: the side-car's
  int64_t shard_bytes = 5'000'000'000;  // a file grows no larger, unless one tensor is
  bool overwrite = false;               // replace an existing model folder
};

// The weights in safetensors, in shards with an index when they take more than `shard_bytes`; config.json,
// which is the side-car's with the fields that Longhaul owns brought up to date; and the side-car's other
// files. Everything is written into a folder beside `output` and renamed at the end, so a reader sees all of
// it or nothing. Little more than one layer is in memory at a time. UserError when `output` exists and isn't
// empty (unless `overwrite`, which replaces model folders only), or when the family's Hugging Face
// architecture lacks a feature of the model.
void export_hf(const ModelFamily& family, const ModelConfig& model, const ParameterSource& source,
               const HfSideCar& side_car, const HfExportOptions& options);

// "float32", "bfloat16" or "float16", as config.json names them; "fp32", "bf16" and "fp16" are understood
// too. UserError for other names.
at::ScalarType parse_hf_dtype(const std::string& name);
std::string hf_dtype_name(at::ScalarType dtype);

}  // namespace longhaul
