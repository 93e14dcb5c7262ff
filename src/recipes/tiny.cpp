// Recipes for a laptop: every part of a real run, in seconds, on made-up data.
#include "longhaul/recipes/library.h"

namespace longhaul::recipes {
namespace {

Recipe tiny(const char* name, const char* description, const char* family) {
  Recipe r;
  r.name = name;
  r.description = description;
  r.model = family_preset(family);
  r.model.layers = 2;
  r.model.hidden = 128;
  r.model.heads = 4;
  r.model.kv_heads = 2;
  r.model.ffn_hidden = 384;
  r.model.vocab_size = 512;
  r.model.max_positions = 128;
  r.data.mock = true;
  r.data.sequence_length = 128;
  r.batch.global = 8;
  r.batch.micro = 4;
  r.optimizer.lr = 3e-3;
  r.optimizer.min_lr = 3e-4;
  r.schedule.warmup_steps = 10;
  r.trainer.max_steps = 100;
  r.trainer.precision = Precision::fp32;
  r.trainer.eval_every = 50;
  r.trainer.eval_steps = 4;
  r.checkpoint.every = 50;
  return r;
}

}  // namespace

Recipe llama_tiny() {
  return tiny("llama_tiny", "a Llama of half a million parameters, on made-up data", "llama");
}

Recipe gpt_tiny() {
  Recipe r = tiny("gpt_tiny", "a GPT-2 of half a million parameters, on made-up data", "gpt");
  r.model.kv_heads = 4;
  r.model.ffn_hidden = 512;
  return r;
}

Recipe nemotron_tiny() {
  Recipe r = tiny("nemotron_tiny", "a Nemotron of half a million parameters, on made-up data", "nemotron");
  r.model.ffn_hidden = 512;
  return r;
}

}  // namespace longhaul::recipes
