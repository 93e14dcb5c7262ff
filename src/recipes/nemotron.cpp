#include "longhaul/recipes/library.h"
#include "presets.h"

namespace longhaul::recipes {
namespace {

struct NemotronShape {
  int64_t layers, hidden, ffn_hidden, heads, kv_heads;
  double init_std;
};

Recipe nemotron(const char* name, const char* description, const NemotronShape& shape) {
  Recipe r = pretraining_defaults(name, description);
  r.model = family_preset("nemotron");
  r.model.layers = shape.layers;
  r.model.hidden = shape.hidden;
  r.model.ffn_hidden = shape.ffn_hidden;
  r.model.heads = shape.heads;
  r.model.kv_heads = shape.kv_heads;
  r.model.vocab_size = 256000;
  r.model.max_positions = 4096;
  r.model.init_std = shape.init_std;
  r.data.sequence_length = 4096;
  r.batch.global = 32;
  r.batch.micro = 2;
  r.schedule.warmup_steps = 500;
  r.trainer.max_steps = 300000;
  r.parallel.sharding = Sharding::optimizer;
  return r;
}

}  // namespace

Recipe nemotron3_4b() {
  Recipe r = nemotron("nemotron3_4b", "Nemotron-3 4B, sequences of 4096", {32, 3072, 9216, 24, 8, 0.0134});
  r.trainer.max_steps = 1168251;
  r.parallel.tensor = 2;
  return r;
}

Recipe nemotron3_8b() {
  Recipe r = nemotron("nemotron3_8b", "Nemotron-3 8B, sequences of 4096", {32, 4096, 16384, 32, 32, 0.010});
  r.parallel.tensor = 2;
  return r;
}

// The learning rate is constant at the end of the published run's decay: a recipe for continued training.
// Raise optimizer.lr to train from scratch.
Recipe nemotron4_15b() {
  Recipe r = nemotron("nemotron4_15b", "Nemotron-4 15B, sequences of 4096, continued training",
                      {32, 6144, 24576, 48, 8, 0.0134});
  r.optimizer.lr = r.optimizer.min_lr = 4.5e-5;
  r.parallel.tensor = 4;
  r.parallel.sequence = true;
  return r;
}

Recipe nemotron4_340b() {
  Recipe r = nemotron("nemotron4_340b", "Nemotron-4 340B, sequences of 4096", {96, 18432, 73728, 96, 8, 0.0063});
  r.optimizer.lr = 1e-4;
  r.optimizer.min_lr = 1e-5;
  r.batch.global = 2304;
  r.batch.micro = 1;
  r.trainer.max_steps = 100000;
  r.parallel.tensor = 8;
  r.parallel.sequence = true;
  interleave(r.parallel, 12, 8);
  r.parallel.context = 2;
  return r;
}

}  // namespace longhaul::recipes
