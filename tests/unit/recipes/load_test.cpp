#include "longhaul/recipes/load.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/recipes/library.h"

namespace longhaul {
namespace {

class LoadRecipe : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("longhaul_load_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "inner");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    write_text(folder_ / name, text);
    return (folder_ / name).string();
  }
  static std::string error_of(const std::string& path, std::vector<std::string> overrides = {}) {
    try {
      load_recipe(path, overrides);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

TEST_F(LoadRecipe, ABaseAndWhatDiffers) {
  const auto path = file("mine.json", R"({
    "$schema": "../configs/recipe.schema.json",
    "base": "llama_tiny",  // a recipe
    "optimizer": {"lr": 1e-3}
  })");
  Recipe expected = recipes::llama_tiny();
  expected.name = "mine";
  expected.optimizer.lr = 1e-3;
  EXPECT_EQ(load_recipe(path), expected);
}

TEST_F(LoadRecipe, BasesAreRelativeToTheirFile) {
  file("a.json", R"({"base": "gpt_tiny", "batch": {"global": 16}})");
  file("inner/b.json", R"({"base": "../a.json", "batch": {"micro": 2}})");
  const auto path = file("inner/c.json", R"({"base": "b.json", "name": "third"})");
  const Recipe r = load_recipe(path);
  EXPECT_EQ(r.name, "third");
  EXPECT_EQ(r.batch, (BatchConfig{16, 2}));
  EXPECT_EQ(r.model, recipes::gpt_tiny().model);
}

TEST_F(LoadRecipe, ACircleOfBasesIsAnError) {
  const auto path = file("a.json", R"({"base": "b.json"})");
  file("b.json", R"({"base": "./inner/../a.json"})");
  const auto error = error_of(path);
  EXPECT_NE(error.find("in a circle"), std::string::npos) << error;
  EXPECT_NE(error.find("b.json -> "), std::string::npos) << error;
  EXPECT_NE(error_of(file("self.json", R"({"base": "self.json"})")).find("in a circle"), std::string::npos);
}

TEST_F(LoadRecipe, BadBases) {
  EXPECT_NE(error_of(file("a.json", R"({"base": "llama_tny"})")).find("a.json: base: there is no recipe \"llama_tny\""),
            std::string::npos);
  EXPECT_NE(error_of(file("b.json", R"({"base": 3})")).find("b.json: base: expected the name"), std::string::npos);
  EXPECT_NE(error_of(file("c.json", R"({"base": "gone.json"})")).find("gone.json"), std::string::npos);
}

TEST_F(LoadRecipe, ErrorsNameTheFileThatHasThem) {
  file("bad.json", R"({"optimizer": {"lrr": 1}})");
  const auto error = error_of(file("good.json", R"({"base": "bad.json"})"));
  EXPECT_NE(error.find("bad.json: unknown key optimizer.lrr. Did you mean optimizer.lr?"), std::string::npos) << error;
}

TEST_F(LoadRecipe, AFamilyBringsItsMathematicsWhateverTheOrder) {
  const auto path =
      file("g.json", R"({"model": {"activation": "relu", "family": "gpt", "layers": 3, "vocab_size": 100}})");
  const Recipe r = load_recipe(path);
  EXPECT_EQ(r.model.position, PositionEmbedding::learned);
  EXPECT_EQ(r.model.normalization, Normalization::layer_norm);
  EXPECT_TRUE(r.model.tied_embeddings);
  EXPECT_EQ(r.model.activation, Activation::relu);
  EXPECT_EQ(r.model.layers, 3);
  const std::vector<std::string> overrides{"model.gated=true", "model.family=nemotron"};
  const Recipe n = load_recipe("llama_tiny", overrides);
  EXPECT_EQ(n.model.activation, Activation::squared_relu);
  EXPECT_TRUE(n.model.gated);
  EXPECT_EQ(n.model.ffn_hidden, recipes::llama_tiny().model.ffn_hidden);
  // The family that is there already changes nothing.
  EXPECT_EQ(load_recipe("gpt2_124m", std::vector<std::string>{"model.family=gpt"}), recipes::gpt2_124m());
}

TEST_F(LoadRecipe, TrainingFilesTurnTheMockDataOff) {
  const std::vector<std::string> train{"data.train=corpus"}, both{"data.train=corpus", "data.mock=true"};
  EXPECT_FALSE(load_recipe("llama_tiny", train).data.mock);
  EXPECT_NE(error_of("llama_tiny", both).find("data.mock is true and data.train is \"corpus\""), std::string::npos);
  EXPECT_FALSE(load_recipe(file("m.json", R"({"base": "llama_tiny", "data": {"train": "corpus"}})")).data.mock);
}

TEST_F(LoadRecipe, TheRecordOfARunReadsBackAsItself) {
  for (const auto make : recipe_library()) {
    const Recipe r = resolved(make());
    EXPECT_EQ(load_recipe(file("recipe.json", full_recipe_text(r))), r);
    const Recipe plain = make();
    EXPECT_EQ(load_recipe(file("plain.json", recipe_file_text(plain))), plain);
  }
}

TEST_F(LoadRecipe, WhichModelKeysAreMeantForTheContinuedModel) {
  using Keys = std::vector<std::string>;
  const auto given = [](const std::string& recipe, std::vector<std::string> overrides = {}) {
    return model_keys_given_with_from(recipe, overrides);
  };
  const auto scratch = file("scratch.json", R"({"base": "llama_tiny", "model": {"layers": 3}})");
  const auto with_from =
      file("from.json", R"({"base": "scratch.json", "model": {"from": "X", "rope_scaling": {"kind": "linear"}}})");
  EXPECT_EQ(given("llama_tiny", {"model.layers=3"}), Keys{});  // a model from scratch
  EXPECT_EQ(given("llama_tiny", {"model.from=X"}), Keys{});
  EXPECT_EQ(given(scratch, {"model.from=X"}), Keys{});
  EXPECT_EQ(given("llama_tiny", {"model.rope_scaling.factor=2", "model.from=X"}), Keys{"rope_scaling.factor"});
  EXPECT_EQ(given(with_from), Keys{"rope_scaling.kind"});
  EXPECT_EQ(given(with_from, {"model.hidden_dropout=0.1"}), (Keys{"rope_scaling.kind", "hidden_dropout"}));
}

}  // namespace
}  // namespace longhaul
