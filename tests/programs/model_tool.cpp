// Developer program for the parity tests: runs a model from a Hugging Face folder in FP32 and writes what it computed.
//
//   model_tool HF_DIR TOKENS.safetensors OUT.safetensors [none|selective|full] [z_loss]
//
// TOKENS holds tokens, labels (int64 [sequences, length]) and weights (FP32, same shape). OUT gets logits
// [tokens, vocab], loss, and, named as the Hugging Face tensors they belong to, the gradients "grad.KEY".
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/checkpoint/safetensors_writer.h"
#include "longhaul/model/family.h"
#include "longhaul/model/transformer.h"

using namespace longhaul;

namespace {

std::string with_layer(std::string pattern, int64_t layer) {
  const auto at = pattern.find("{i}");
  return at == std::string::npos ? pattern : pattern.replace(at, 3, std::to_string(layer));
}

int run(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: model_tool HF_DIR TOKENS.safetensors OUT.safetensors [none|selective|full] [z_loss]\n");
    return 2;
  }
  const HfFolder folder(argv[1]);
  const ModelFamily& family = family_of_hf_config(folder.config());
  const ModelConfig config = family.read_config(folder.config()).resolved();
  Transformer model(config, {});
  HfWeights(folder, family, config).load(model.parameters().parameters());

  const SafetensorsReader input(argv[2]);
  const at::Tensor tokens = input.tensor("tokens").clone(), labels = input.tensor("labels").clone();
  const at::Tensor weights = input.tensor("weights").clone();
  LayerContext context;
  for (int64_t i = 0; i <= tokens.size(0); ++i) {
    context.cu_seqlens.push_back(static_cast<int32_t>(i * tokens.size(1)));
  }
  const std::string mode = argc > 4 ? argv[4] : "none";
  context.recompute = mode == "full" ? Recompute::full : mode == "selective" ? Recompute::selective : Recompute::none;
  const double z_loss = argc > 5 ? std::stod(argv[5]) : 0.0;

  std::vector<std::pair<std::string, at::Tensor>> out;
  {
    c10::AutoGradMode no_grad(false);
    out.emplace_back("logits", model.logits(model.hidden_states(tokens.view({-1}), context)));
  }
  const auto result = model.loss(tokens.view({-1}), labels.view({-1}), weights.view({-1}), context,
                                 {.z_loss = z_loss, .unit_gradient = true});
  result.loss.backward();
  model.parameters().collect_autograd_gradients();
  out.emplace_back("loss", result.loss.detach().view({1}));
  for (const HfMappingRow& row : family.mapping(config).rows) {
    const int64_t layers = row.parameter.find("{i}") == std::string::npos ? 1 : config.layers;
    for (int64_t layer = 0; layer < layers; ++layer) {
      const std::string name = with_layer(row.parameter, layer);
      if (!model.parameters().contains(name)) continue;
      const auto parts = row.transform->split(model.parameters().at(name).main_grad);
      for (size_t i = 0; i < parts.size(); ++i) {
        out.emplace_back("grad." + with_layer(row.hf_keys[i], layer), parts[i].contiguous());
      }
    }
  }
  write_safetensors(argv[3], out);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
