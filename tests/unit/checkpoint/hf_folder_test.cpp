#include "longhaul/checkpoint/hf_folder.h"

#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "longhaul/checkpoint/hf_export.h"
#include "longhaul/checkpoint/hf_import.h"
#include "longhaul/checkpoint/safetensors_writer.h"
#include "longhaul/model/parameter_layout.h"
#include "test_support.h"

namespace longhaul {
namespace {

using nlohmann::json;
using testing::identical;
using testing::message_of;
using testing::random_bytes;
namespace fs = std::filesystem;

class HfFolderTest : public testing::TemporaryFolder {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_text(folder_ / "config.json", R"({"model_type": "llama"})");
  }
  // A shard of one-element tensors.
  void shard(const char* file, const std::vector<std::string>& names) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& name : names) tensors.emplace_back(name, at::zeros({1}));
    write_safetensors(folder_ / file, tensors);
  }
  void index(const json& weight_map, int64_t size = 8) {
    write_text(folder_ / "model.safetensors.index.json",
               json{{"metadata", {{"total_size", size}}}, {"weight_map", weight_map}}.dump());
  }
  std::string open_error() {
    return message_of([&] { HfFolder folder(folder_); });
  }
};

TEST_F(HfFolderTest, ShardedFolder) {
  shard("one.safetensors", {"a"});
  shard("two.safetensors", {"b", "c"});
  index({{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "two.safetensors"}},
        1);  // a wrong size only warns
  write_text(folder_ / "tokenizer.json", "{}");
  write_text(folder_ / "README.md", "no");
  const HfFolder folder(folder_);
  EXPECT_EQ(folder.keys(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(folder.file_of("b").filename(), "two.safetensors");
  EXPECT_EQ(folder.dtype(), at::kFloat);
  EXPECT_EQ(folder.side_car().files, (std::map<std::string, std::string>{{"tokenizer.json", "{}"}}));
  EXPECT_CONTAINS(message_of([&] { folder.tensor("d"); }), "no tensor 'd'");
}

TEST_F(HfFolderTest, IndexMistakes) {
  shard("one.safetensors", {"a", "b"});
  index({{"a", "one.safetensors"}});
  EXPECT_CONTAINS(open_error(), "tensor 'b' is missing from model.safetensors.index.json");
  index({{"a", "one.safetensors"}, {"b", "two.safetensors"}});
  EXPECT_CONTAINS(open_error(), "names two.safetensors, which is not in the folder");
  shard("two.safetensors", {"c"});
  EXPECT_CONTAINS(open_error(), "two.safetensors: has no tensor 'b'");
  shard("two.safetensors", {"b"});
  EXPECT_CONTAINS(open_error(), "tensor 'b' is said to be in another file");
  index({{"a", "../one.safetensors"}});
  EXPECT_CONTAINS(open_error(), "not the name of a file");
  index(3);
  EXPECT_CONTAINS(open_error(), "weight_map");
  write_text(folder_ / "model.safetensors.index.json", "{\n");
  EXPECT_CONTAINS(open_error(), "not valid JSON, at byte 2 of 2: the file is damaged or cut off");
  write_text(folder_ / "model.safetensors.index.json", R"({"weight_map": 1e999})");
  EXPECT_CONTAINS(open_error(), "not valid JSON");
}

TEST_F(HfFolderTest, FoldersWithoutReadableWeights) {
  EXPECT_CONTAINS(open_error(), "has no model.safetensors");
  write_text(folder_ / "pytorch_model.bin", "x");
  EXPECT_CONTAINS(open_error(), "save_pretrained");
  shard("weights.safetensors", {"a"});
  EXPECT_CONTAINS(open_error(), "weights.safetensors");
  write_text(folder_ / "config.json", "[1]");
  EXPECT_CONTAINS(open_error(), "JSON object");
  fs::remove(folder_ / "config.json");
  EXPECT_CONTAINS(open_error(), "no config.json");
  EXPECT_CONTAINS(message_of([&] { HfFolder folder(folder_ / "nowhere"); }), "no such folder");
}

TEST_F(HfFolderTest, TruncatedShardIsNamed) {
  shard("model.safetensors", {"a", "b"});
  fs::resize_file(folder_ / "model.safetensors", fs::file_size(folder_ / "model.safetensors") - 3);
  EXPECT_CONTAINS(open_error(), "model.safetensors: tensor 'b'");
}

// A model from scratch, exported and imported again.
class HfExportTest : public testing::TemporaryFolder {
 protected:
  static ModelConfig make_model(const char* family_name) {
    const bool llama = std::string_view(family_name) == "llama";
    ModelConfig model;
    model.family = family_name;
    model.layers = 2;
    model.hidden = 24;
    model.heads = 4;
    model.kv_heads = llama ? 2 : 4;
    model.head_dim = llama ? 10 : 6;
    model.ffn_hidden = 20;
    model.vocab_size = 19;
    model.vocab_multiple = 8;
    model.max_positions = 12;
    if (!llama) {
      model.normalization = Normalization::layer_norm;
      model.activation = Activation::gelu_tanh;
      model.gated = false;
      model.position = PositionEmbedding::learned;
      model.qkv_bias = model.linear_bias = model.tied_embeddings = true;
    }
    return model;
  }

  static std::vector<Parameter> make_parameters(const ModelConfig& model, uint64_t seed, at::ScalarType dtype,
                                                TensorCut cut = {}) {
    std::vector<Parameter> parameters;
    cut.vocab_multiple = model.vocab_multiple;
    for (auto& [name, shard] : parameter_layout(model)) {
      at::Tensor value = random_bytes(at::kShort, local_shape(shard, cut), seed++).to(at::kFloat).div(997).to(dtype);
      value.set_requires_grad(true);
      parameters.push_back({name, value, {}, shard, blocks_of(shard, cut)});
    }
    return parameters;
  }

  void export_from(const ModelConfig& model, const std::vector<Parameter>& parameters, HfExportOptions options,
                   const HfSideCar& side_car = {}) {
    export_hf(family(model.family), model, parameter_source(parameters), side_car, options);
  }
};

TEST_F(HfExportTest, FromScratchAndBack) {
  for (const char* name : {"llama", "gpt"}) {
    const ModelConfig model = make_model(name);
    const auto parameters = make_parameters(model, 1, at::kFloat);
    const fs::path output = folder_ / name;
    export_from(model, parameters, {.output = output, .dtype = at::kFloat});
    const HfFolder exported(output);
    EXPECT_EQ(exported.config()["torch_dtype"], "float32");
    EXPECT_EQ(exported.config()["architectures"][0], family(name).hf_architecture);
    EXPECT_FALSE(exported.config().contains("dtype"));
    EXPECT_TRUE(fs::exists(output / "generation_config.json"));
    auto again = make_parameters(model, 1000, at::kFloat);
    HfWeights(exported, family(name), model).load(again);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const int64_t rows = parameters[i].shard.global_shape[0], padded = again[i].value.size(0);
      EXPECT_TRUE(
          identical(again[i].value.detach().narrow(0, 0, rows), parameters[i].value.detach().narrow(0, 0, rows)));
      if (padded > rows) {
        EXPECT_EQ(again[i].value.detach().narrow(0, rows, padded - rows).abs().max().item<float>(), 0);
      }
    }
  }
}

TEST_F(HfExportTest, ARankGetsItsBlocks) {
  for (const char* name : {"llama", "gpt"}) {
    const ModelConfig model = make_model(name);
    const auto whole = make_parameters(model, 1, at::kFloat);
    const fs::path output = folder_ / (std::string(name) + "-whole");
    export_from(model, whole, {.output = output, .dtype = at::kFloat});
    for (int rank = 0; rank < 2; ++rank) {
      auto cut = make_parameters(model, 99, at::kFloat, {.rank = rank, .size = 2});
      cut.pop_back();  // a pipeline stage has some of the parameters only
      const HfImportReport report = HfWeights(HfFolder(output), family(name), model).load(cut);
      int64_t held = 0;  // elements, without the vocabulary's padding
      for (const Parameter& p : cut) {
        for_each_block(p, [&](const at::Tensor& value, const Block&) { held += value.numel(); });
      }
      EXPECT_EQ(report.bytes_read, held * 4) << "FP32";
      for (size_t i = 0; i < cut.size(); ++i) {
        const at::Tensor& global = whole[i].value;
        int64_t at = 0;
        for (const Block& block : cut[i].blocks) {
          EXPECT_TRUE(cut[i]
                          .value.detach()
                          .narrow(block.dim, at, block.length)
                          .equal(global.detach().narrow(block.dim, block.begin, block.length)))
              << cut[i].name << " on rank " << rank;
          at += block.length;
        }
        if (cut[i].shard.tensor_dim >= 0) {
          EXPECT_LT(cut[i].value.numel(), global.numel()) << cut[i].name;
        }
      }
    }
  }
}

TEST_F(HfExportTest, ZeroCenteredNormsBecomeOrdinary) {
  ModelConfig model = make_model("gpt");
  model.norm_zero_centered = true;
  const auto parameters = make_parameters(model, 1, at::kFloat);
  export_from(model, parameters, {.output = folder_ / "out", .dtype = at::kFloat});
  const HfFolder exported(folder_ / "out");
  const auto source = parameter_source(parameters);
  EXPECT_TRUE(
      identical(exported.tensor("transformer.ln_f.weight"), source("decoder.final_layernorm.weight").detach().add(1)));
  EXPECT_TRUE(identical(exported.tensor("transformer.ln_f.bias"), source("decoder.final_layernorm.bias").detach()));
}

TEST_F(HfExportTest, ImportRoundsToTheParametersType) {
  const ModelConfig model = make_model("llama");
  const auto parameters = make_parameters(model, 1, at::kFloat);
  export_from(model, parameters, {.output = folder_ / "out", .dtype = at::kFloat});
  auto half = make_parameters(model, 2, at::kBFloat16);
  HfWeights(HfFolder(folder_ / "out"), family("llama"), model).load(half);
  const auto norm = parameter_source(parameters)("decoder.final_layernorm.weight").detach();
  EXPECT_TRUE(identical(parameter_source(half)("decoder.final_layernorm.weight").detach(), norm.to(at::kBFloat16)));
}

TEST_F(HfExportTest, ShardsAreInLayerOrder) {
  const ModelConfig model = make_model("llama");
  const auto parameters = make_parameters(model, 1, at::kFloat);
  export_from(model, parameters, {.output = folder_ / "out", .dtype = at::kBFloat16, .shard_bytes = 3000});
  const json index = json::parse(read_text(folder_ / "out/model.safetensors.index.json"));
  EXPECT_EQ(index["weight_map"]["model.embed_tokens.weight"].get<std::string>().substr(0, 11), "model-00001");
  const std::string last = index["weight_map"]["lm_head.weight"];
  EXPECT_EQ(last.substr(6, 5), last.substr(15, 5));  // model-0000N-of-0000N
  EXPECT_EQ(HfFolder(folder_ / "out").keys().size(), index["weight_map"].size());
}

TEST_F(HfExportTest, OutputFolderIsNotOverwrittenByAccident) {
  const ModelConfig model = make_model("llama");
  const auto parameters = make_parameters(model, 1, at::kFloat);
  const fs::path output = folder_ / "out";
  fs::create_directories(output);
  export_from(model, parameters, {.output = output, .dtype = {}});  // an empty folder is fine
  EXPECT_EQ(HfFolder(output).dtype(), at::kBFloat16);               // the default of a model from scratch
  EXPECT_CONTAINS(message_of([&] { export_from(model, parameters, {.output = output, .dtype = {}}); }), "not empty");
  export_from(model, parameters, {.output = output, .dtype = at::kHalf, .overwrite = true});
  EXPECT_EQ(HfFolder(output).dtype(), at::kHalf);
  fs::create_directories(folder_ / "other");
  write_text(folder_ / "other/note", "keep me");
  EXPECT_CONTAINS(message_of([&] {
                    export_from(model, parameters, {.output = folder_ / "other", .dtype = {}, .overwrite = true});
                  }),
                  "not a model folder");
  EXPECT_EQ(read_text(folder_ / "other/note"), "keep me");
}

TEST_F(HfExportTest, AFailedExportLeavesNothing) {
  const ModelConfig model = make_model("llama");
  const auto parameters = make_parameters(model, 1, at::kFloat);
  const auto source = parameter_source(parameters);
  const ParameterSource failing = [&](const std::string& name) {
    if (name == "decoder.final_layernorm.weight") throw EnvironmentError("cannot read");
    return source(name);
  };
  EXPECT_THROW(export_hf(family("llama"), model, failing, {}, {.output = folder_ / "out", .dtype = {}}),
               EnvironmentError);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(HfExportTest, EverythingWrongIsListedAtOnce) {
  const ModelConfig model = make_model("llama");
  auto parameters = make_parameters(model, 1, at::kFloat);
  export_from(model, parameters, {.output = folder_ / "out", .dtype = at::kFloat});
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  {
    const HfFolder exported(folder_ / "out");
    for (const auto& key : exported.keys()) {
      if (key == "model.norm.weight") continue;
      at::Tensor tensor = exported.tensor(key).clone();
      if (key == "model.layers.1.mlp.up_proj.weight") tensor = tensor.t().contiguous();
      if (key == "model.layers.0.mlp.up_proj.weight") tensor = tensor.to(at::kChar);
      tensors.emplace_back(key, tensor);
    }
  }
  tensors.emplace_back("model.extra", at::zeros({2}));
  write_safetensors(folder_ / "out/model.safetensors", tensors);
  const auto before = parameters[0].value.detach().clone();
  const std::string message =
      message_of([&] { HfWeights(HfFolder(folder_ / "out"), family("llama"), model).load(parameters); });
  EXPECT_CONTAINS(message, "'model.norm.weight' [24] is missing");
  EXPECT_CONTAINS(message,
                  "'model.layers.1.mlp.up_proj.weight' F32 [24, 20] in model.safetensors: config.json wants [20, 24]");
  EXPECT_CONTAINS(message, "'model.layers.0.mlp.up_proj.weight' I8 [20, 24] in model.safetensors: weights must be");
  EXPECT_CONTAINS(message, "'model.extra' F32 [2] in model.safetensors: the model has no place for it");
  EXPECT_TRUE(identical(parameters[0].value.detach(), before));  // nothing was filled
}

}  // namespace
}  // namespace longhaul
