// Options of the commands that load a model: which one, how precise, where.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/command_line.h"

namespace longhaul {
class ModelFolder;
class Transformer;
}  // namespace longhaul

namespace longhaul::cli {

struct ModelOptions {
  std::string folder;
  std::string precision = "fp32";
  std::string device = "auto";
  int64_t threads = 0;
};

void add_model_options(const Command& command, ModelOptions& options);
std::unique_ptr<Transformer> load_model(const ModelFolder& folder, const ModelOptions& options);

}  // namespace longhaul::cli
