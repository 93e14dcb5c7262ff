// A recipe file: what loads is a recipe that can be written and loaded again, to the same.
#include <memory>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/library.h"
#include "longhaul/recipes/load.h"
#include "scratch_folder.h"

namespace longhaul::fuzz {

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  target.seeds = {
      R"({"base": "llama_tiny", "trainer": {"max_steps": 3}, "data": {"train": "a", "valid": "0.3 b 0.7 c"}})"};
  for (const char* name : {"llama_tiny", "gpt_tiny", "nemotron_tiny"}) {
    target.seeds.push_back(full_recipe_text(load_recipe(name)));
    target.seeds.push_back("// a comment\n" + recipe_file_text(load_recipe(name)));
  }
  target.words = {"\"base\"",     "\"model\"",    "\"family\"",    "\"llama\"",  "\"gpt\"",      "\"nemotron\"",
                  "\"from\"",     "\"a.json\"",   "\"llama3_8b\"", "\"data\"",   "\"parallel\"", "\"tensor\": 3,",
                  "\"pipeline\"", "\"kv_heads\"", "\"heads\"",     "\"layers\"", "/*",           "//",
                  "\"none\"",     "\"full\"",     "\"bf16\"",      "\"fp32\"",   "1e6",          "0.5",
                  "1000000000"};
  target.read = [folder](std::string_view input) {
    const Recipe recipe = load_recipe(folder->write("a.json", input));
    const Recipe again = load_recipe(folder->write("a.json", full_recipe_text(recipe)));
    LONGHAUL_CHECK(full_recipe_text(again) == full_recipe_text(recipe), "not the same after a round");
    try {
      resolved(recipe);
    } catch (const UserError&) {
      // A recipe may leave open what only a checkpoint or a data set says.
    }
  };
  return target;
}

}  // namespace longhaul::fuzz
