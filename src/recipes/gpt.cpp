#include "longhaul/recipes/library.h"
#include "presets.h"

namespace longhaul::recipes {

// Batch, learning rate and warm-up of "GPT-3 Small" (Brown et al., "Language models are few-shot learners",
// 2020); the run takes ten billion tokens.
Recipe gpt2_124m() {
  Recipe r = pretraining_defaults("gpt2_124m", "GPT-2 124M, sequences of 1024, 10 B tokens");
  r.model = family_preset("gpt");
  r.model.layers = 12;
  r.model.hidden = 768;
  r.model.heads = 12;
  r.model.vocab_size = 50257;
  r.model.vocab_multiple = 128;
  r.model.max_positions = 1024;
  r.data.sequence_length = 1024;
  r.batch.global = 512;
  r.batch.micro = 8;
  r.optimizer.lr = 6e-4;
  r.optimizer.min_lr = 6e-5;
  r.optimizer.eps = 1e-8;
  r.schedule.warmup_steps = 715;
  r.trainer.max_steps = 19073;
  r.trainer.eval_every = 500;
  return r;
}

Recipe gpt3_175b() {
  Recipe r = pretraining_defaults("gpt3_175b", "GPT-3 175B, sequences of 2048");
  r.model = family_preset("gpt");
  r.model.layers = 96;
  r.model.hidden = 12288;
  r.model.heads = 96;
  r.model.vocab_size = 50257;
  r.model.vocab_multiple = 128;
  r.model.max_positions = 2048;
  r.model.norm_zero_centered = true;
  r.data.sequence_length = 2048;
  r.batch.global = 2048;
  r.batch.micro = 2;
  r.optimizer.lr = 9e-5;
  r.optimizer.min_lr = 9e-6;
  r.parallel.tensor = 4;
  r.parallel.sequence = true;
  interleave(r.parallel, 8, 6);
  r.parallel.sharding = Sharding::optimizer;
  return r;
}

}  // namespace longhaul::recipes
