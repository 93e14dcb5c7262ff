#include "longhaul/recipes/library.h"

#include <gtest/gtest.h>

#include <map>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/recipes/load.h"

namespace longhaul {
namespace {

const std::filesystem::path kRoot = LONGHAUL_SOURCE_DIR;

TEST(RecipeLibrary, AllResolveToTheirPublishedSizes) {
  const std::map<std::string, int64_t> published{
      {"llama3_8b", 8030261248},       {"llama3_70b", 70553706496},  {"llama31_405b", 405853388800},
      {"tinyllama_1b", 1100048384},    {"llama_1_5b", 1540474880},   {"llama32_1b", 1235814400},
      {"llama32_3b", 3212749824},      {"gpt2_124m", 124439808},     {"gpt3_175b", 174604259328},
      {"nemotron3_4b", 4190509056},    {"nemotron3_8b", 8540135424}, {"nemotron4_15b", 15628775424},
      {"nemotron4_340b", 341029195776}};
  size_t seen = 0;
  for (const auto make : recipe_library()) {
    const Recipe r = resolved(make());
    EXPECT_EQ(find_recipe(r.name).name, r.name);
    EXPECT_GE(r.trainer.max_steps, r.schedule.warmup_steps);
    if (const auto found = published.find(r.name); found != published.end()) {
      EXPECT_EQ(r.model.parameter_count(), found->second) << r.name;
      ++seen;
    } else {
      EXPECT_TRUE(r.name.ends_with("_tiny")) << r.name;
      EXPECT_LT(r.model.parameter_count(), 1000000) << r.name;
      EXPECT_NO_THROW(require_layout(r, 1)) << r.name;
      EXPECT_TRUE(r.data.mock);
    }
  }
  EXPECT_EQ(seen, published.size());
}

// Spot checks of the published pre-training settings.
TEST(RecipeLibrary, PublishedHyperParameters) {
  const Recipe large = recipes::nemotron4_340b();
  EXPECT_EQ(large.batch.global, 2304);
  EXPECT_EQ(large.optimizer.lr, 1e-4);
  EXPECT_EQ(large.schedule.warmup_steps, 500);
  EXPECT_EQ(large.trainer.max_steps, 100000);
  EXPECT_EQ(large.parallel.model_ranks(), 192);
  EXPECT_EQ(large.parallel.virtual_pipeline, 8);
  const Recipe llama = recipes::llama3_8b();
  EXPECT_EQ(llama.optimizer.lr, 3e-4);
  EXPECT_EQ(llama.optimizer.eps, 1e-5);
  EXPECT_EQ(llama.trainer.max_steps, 1168251);
  EXPECT_EQ(llama.parallel.context, 2);
  EXPECT_EQ(recipes::llama31_405b().parallel.model_ranks(), 256);
  EXPECT_EQ(recipes::llama32_1b().model.rope_scaling, (RopeScaling{RopeScalingKind::llama3, 32, 1, 4, 8192}));
  EXPECT_EQ(recipes::nemotron4_15b().optimizer.min_lr, 4.5e-5);
  EXPECT_EQ(recipes::gpt3_175b().batch.global, 2048);
}

TEST(RecipeLibrary, UnknownNamesGetASuggestion) {
  try {
    find_recipe("lama3_8b");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("Did you mean \"llama3_8b\"?"), std::string::npos);
  }
}

TEST(GeneratedFiles, RecipeFilesAreTheFunctions) {
  // Every file in the folder is a recipe, also those that belong to a script rather than to the library.
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "recipes"))
    EXPECT_EQ(load_recipe(entry.path().string()).name, entry.path().stem().string());
  for (const auto make : recipe_library()) {
    const Recipe r = make();
    const auto path = kRoot / "recipes" / (r.name + ".json");
    EXPECT_EQ(load_recipe(path.string()), r) << r.name;
    EXPECT_EQ(read_text(path), recipe_file_text(r)) << "run scripts/generate";
  }
}

TEST(GeneratedFiles, SchemaAndReferenceAreUpToDate) {
  EXPECT_EQ(read_text(kRoot / "configs/recipe.schema.json"), recipe_schema_text()) << "run scripts/generate";
  EXPECT_EQ(read_text(kRoot / "docs/configuration.md"), recipe_reference_text()) << "run scripts/generate";
}

}  // namespace
}  // namespace longhaul
