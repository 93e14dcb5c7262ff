// Imports a Hugging Face folder, saves a training checkpoint under OUTPUT.run, and exports that, for the
// Python tests.
//   hf_roundtrip SOURCE OUTPUT [DTYPE|source [SHARD_BYTES]]
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/checkpoint_writer.h"
#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/core/error.h"
#include "longhaul/model/family.h"
#include "longhaul/model/parameter_layout.h"

namespace {

using namespace longhaul;

void run(const std::vector<std::string>& arguments) {
  const HfFolder source(arguments.at(0));
  const ModelFamily& family = family_of_hf_config(source.config());
  ModelConfig model = family.read_config(source.config());
  model.vocab_multiple = 64;  // so that padding takes part

  std::vector<Parameter> parameters;
  for (auto& [name, shard] : parameter_layout(model)) {
    const TensorCut whole{.vocab_multiple = model.vocab_multiple};
    parameters.push_back({name, at::full(local_shape(shard, whole), 7.0), {}, shard, blocks_of(shard, whole)});
  }
  const HfImportReport report = HfWeights(source, family, model).load(parameters);

  // Checkpoints hold the true rows of a vocabulary.
  CheckpointContent content{.config = {}, .state = {}, .hf = source.side_car()};
  for (const auto& parameter : parameters) {
    content.tensors.push_back(
        {kModelGroup + parameter.name, parameter.value.narrow(0, 0, parameter.shard.global_shape[0]), {}, {}});
  }
  const std::string run_folder = arguments.at(1) + ".run";
  CheckpointWriter(run_folder).save(content);
  const auto checkpoint = find_latest(run_folder);

  HfExportOptions options{.output = arguments.at(1), .dtype = {}};
  if (arguments.size() > 2 && arguments[2] != "source") options.dtype = parse_hf_dtype(arguments[2]);
  if (arguments.size() > 3) options.shard_bytes = std::stoll(arguments[3]);
  export_hf(family, model, checkpoint->parameters(), *checkpoint->hf(), options);
  fmt::print("family {}, {} parameters, {} zero rows\n", family.name, parameters.size(), report.zero_embedding_rows);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
    return 0;
  } catch (const longhaul::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  }
}
