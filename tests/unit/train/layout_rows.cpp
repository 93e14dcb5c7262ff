#include "unit/train/layout_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul {

std::string name_of(const Row& row) {
  constexpr const char* kFamilies[] = {"llama", "gpt", "nemotron"};
  std::string name = kFamilies[static_cast<size_t>(row.family)];
  const auto size = [&](const char* axis, int64_t ranks) {
    if (ranks > 1) name += fmt::format(" {}{}", axis, ranks);
  };
  size("tp", row.tensor);
  if (row.sequence) name += " sp";
  size("chunks", row.chunks);
  size("pp", row.pipeline);
  size("vp", row.virtual_pipeline);
  if (row.schedule == PipelineSchedule::gpipe) name += " gpipe";
  if (row.schedule == PipelineSchedule::zero_bubble) name += " zb";
  size("dp", row.data);
  if (row.sharding != Sharding::none) name += fmt::format(" zero{}", static_cast<int>(row.sharding));
  if (row.recompute != RecomputeMode::none) name += fmt::format(" {}", name_of(row.recompute));
  if (row.split.first_stage > 0) name += fmt::format(" first{}", row.split.first_stage);
  if (row.split.last_stage > 0) name += fmt::format(" last{}", row.split.last_stage);
  if (row.split.count_embedding) name += " count_embedding";
  if (row.split.count_loss) name += " count_loss";
  if (row.order != ParallelConfig().order) name += " order:" + row.order;
  return name;
}

Recipe small_recipe(Family family, int64_t layers) {
  Recipe r = recipes::llama_tiny();
  r.model.layers = layers;
  r.model.hidden = 32;
  r.model.heads = 8;
  r.model.kv_heads = family == Family::llama ? 2 : family == Family::nemotron ? 4 : 8;
  r.model.head_dim = 4;
  r.model.ffn_hidden = 48;
  r.model.vocab_size = 101;
  r.model.vocab_multiple = 2;
  r.model.max_positions = 64;
  if (family == Family::gpt) {
    r.model.position = PositionEmbedding::learned;
    r.model.normalization = Normalization::layer_norm;
    r.model.activation = Activation::gelu_tanh;
    r.model.gated = false;
    r.model.qkv_bias = r.model.linear_bias = true;
    r.model.tied_embeddings = true;
    r.model.hidden_dropout = r.model.attention_dropout = r.model.embedding_dropout = 0.1;
  } else if (family == Family::nemotron) {
    r.model.normalization = Normalization::layer_norm;
    r.model.norm_zero_centered = true;
    r.model.activation = Activation::squared_relu;
    r.model.gated = false;
    r.model.rotary_fraction = 0.5;
  }
  r.model.init_std = 0.1;
  r.data.sequence_length = 16;
  r.batch.global = 8;
  r.batch.micro = 1;
  // At 1e-2 eight such layers reach gradients that blow FP32's rounding up a thousandfold, and FP64's just as much.
  r.optimizer.lr = 3e-3;
  // A key's bias has no gradient in exact arithmetic; with a smaller eps Adam would blow its rounding errors
  // up.
  r.optimizer.eps = 1e-4;
  r.schedule.warmup_steps = 2;
  r.trainer.max_steps = 20;
  r.trainer.precision = Precision::fp32;
  r.loss.z_loss = 1e-3;
  return r;
}

Recipe recipe_of(const Row& row) {
  Recipe r =
      small_recipe(row.family, row.layers > 0 ? row.layers : std::max<int64_t>(4, row.pipeline * row.virtual_pipeline));
  r.parallel.tensor = row.tensor;
  r.parallel.sequence = row.sequence;
  r.parallel.pipeline = row.pipeline;
  r.parallel.virtual_pipeline = row.virtual_pipeline;
  r.parallel.schedule = row.schedule;
  r.parallel.sharding = row.sharding;
  r.recompute.mode = row.recompute;
  r.parallel.tensor_chunks = row.chunks;
  r.parallel.order = row.order;
  r.parallel.count_embedding = row.split.count_embedding;
  r.parallel.count_loss = row.split.count_loss;
  r.parallel.first_stage_layers = row.split.first_stage;
  r.parallel.last_stage_layers = row.split.last_stage;
  return r;
}

}  // namespace longhaul
