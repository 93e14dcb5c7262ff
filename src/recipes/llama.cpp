#include "longhaul/recipes/library.h"
#include "presets.h"

namespace longhaul::recipes {
namespace {

struct LlamaShape {
  int64_t layers, hidden, ffn_hidden, heads;
  bool tied;
};

Recipe llama3(const char* name, const char* description, const LlamaShape& shape) {
  Recipe r = pretraining_defaults(name, description);
  r.model = family_preset("llama");
  r.model.layers = shape.layers;
  r.model.hidden = shape.hidden;
  r.model.ffn_hidden = shape.ffn_hidden;
  r.model.heads = shape.heads;
  r.model.kv_heads = 8;
  r.model.vocab_size = 128256;
  r.model.max_positions = 8192;
  r.model.rope_theta = 500000;
  r.model.tied_embeddings = shape.tied;
  r.data.sequence_length = 8192;
  r.batch.global = 512;
  return r;
}

// The releases after Llama 3.0 stretch the context of 8192 to 131072.
void stretch_context(ModelConfig& model, double factor) {
  model.max_positions = 131072;
  model.rope_scaling = {RopeScalingKind::llama3, factor, 1, 4, 8192};
}

}  // namespace

Recipe llama3_8b() {
  Recipe r = llama3("llama3_8b", "Llama 3 8B, sequences of 8192", {32, 4096, 14336, 32, false});
  r.model.init_std = 0.01;
  r.parallel.context = 2;
  r.parallel.sharding = Sharding::optimizer;
  return r;
}

Recipe llama3_70b() {
  Recipe r = llama3("llama3_70b", "Llama 3 70B, sequences of 8192", {80, 8192, 28672, 64, false});
  r.model.init_std = 0.008944;
  r.parallel.tensor = 4;
  r.parallel.sequence = true;
  interleave(r.parallel, 4, 5);
  r.parallel.context = 2;
  r.parallel.sharding = Sharding::optimizer;
  return r;
}

Recipe llama31_405b() {
  Recipe r = llama3("llama31_405b", "Llama 3.1 405B, sequences of 8192", {126, 16384, 53248, 128, false});
  stretch_context(r.model, 8);
  r.parallel.tensor = 8;
  r.parallel.sequence = true;
  interleave(r.parallel, 8, 2);
  r.parallel.context = 4;
  r.parallel.sharding = Sharding::optimizer;
  return r;
}

// The usual yardsticks for one GPU.
Recipe tinyllama_1b() {
  Recipe r = llama3("tinyllama_1b", "TinyLlama 1.1B, sequences of 2048", {22, 2048, 5632, 32, false});
  r.model.kv_heads = 4;
  r.model.vocab_size = 32000;
  r.model.max_positions = 2048;
  r.model.rope_theta = 10000;
  r.data.sequence_length = 2048;
  return r;
}

Recipe llama_1_5b() {
  Recipe r = llama3("llama_1_5b", "a Llama of 1.5B parameters, sequences of 2048", {28, 2048, 6144, 16, false});
  r.model.vocab_size = 32000;
  r.data.sequence_length = 2048;
  return r;
}

Recipe llama32_1b() {
  Recipe r = llama3("llama32_1b", "Llama 3.2 1B, sequences of 8192", {16, 2048, 8192, 32, true});
  stretch_context(r.model, 32);
  return r;
}

Recipe llama32_3b() {
  Recipe r = llama3("llama32_3b", "Llama 3.2 3B, sequences of 8192", {28, 3072, 8192, 24, true});
  stretch_context(r.model, 32);
  return r;
}

}  // namespace longhaul::recipes
