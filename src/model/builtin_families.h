// The families that come with Longhaul, one folder each.
#pragma once

#include "longhaul/model/family.h"

namespace longhaul {

namespace llama {
ModelConfig read_config(const nlohmann::json& config);
void write_config(const ModelConfig& model, nlohmann::json& config);
HfMapping mapping(const ModelConfig& model);
}  // namespace llama

namespace gpt {
ModelConfig read_config(const nlohmann::json& config);
void write_config(const ModelConfig& model, nlohmann::json& config);
HfMapping mapping(const ModelConfig& model);
}  // namespace gpt

namespace nemotron {
ModelConfig read_config(const nlohmann::json& config);
void write_config(const ModelConfig& model, nlohmann::json& config);
HfMapping mapping(const ModelConfig& model);
}  // namespace nemotron

}  // namespace longhaul
