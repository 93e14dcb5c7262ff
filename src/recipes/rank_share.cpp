#include "longhaul/recipes/rank_share.h"

#include <algorithm>

#include "longhaul/core/error.h"
#include "longhaul/model/shard.h"
#include "longhaul/recipes/layouts.h"

namespace longhaul {
namespace {

// The i-th of `parts` equal parts.
IndexRange part(int64_t size, int64_t parts, int64_t i) {
  return {size / parts * i, size / parts * (i + 1)};
}

IndexRange kv_heads_of(const ModelConfig& m, int64_t tensor, int64_t i) {
  if (m.kv_heads >= tensor) return part(m.kv_heads, tensor, i);
  const int64_t head = i * m.kv_heads / tensor;
  return {head, head + 1};
}

// Every rank gets equally many rows of the padded table.
IndexRange vocabulary_of(const ModelConfig& m, int64_t tensor, int64_t i) {
  const int64_t rows = vocabulary_rows(m.vocab_size, m.vocab_multiple, tensor);
  return {std::min(i * rows, m.vocab_size), std::min((i + 1) * rows, m.vocab_size)};
}

int64_t norm_parameters(const ModelConfig& m) {
  return (m.normalization == Normalization::layer_norm ? 2 : 1) * m.hidden;
}

int64_t layer_parameters(const ModelConfig& m, const RankShare& share) {
  const int64_t query = share.heads.count() * m.head_dim, key_value = 2 * share.kv_heads.count() * m.head_dim;
  const int64_t ffn = share.ffn.count(), fc1 = (m.gated ? 2 : 1) * ffn;
  int64_t parameters = m.hidden * (2 * query + key_value + fc1 + ffn) + 2 * norm_parameters(m);
  if (m.qkv_bias) parameters += query + key_value;
  if (m.has_proj_bias()) parameters += m.hidden;
  if (m.linear_bias) parameters += fc1 + m.hidden;
  return parameters;
}

int64_t parameters_of(const ModelConfig& m, const RankShare& share) {
  int64_t layers = 0;
  for (const parallel::LayerRange& range : share.layers) layers += range.count();
  int64_t parameters = layers * share.layer_parameters;
  const int64_t table = share.vocabulary.count() * m.hidden;
  const bool one_table_for_both = m.tied_embeddings && share.embedding && share.output;
  if (share.embedding) parameters += table;
  if (share.embedding && m.position == PositionEmbedding::learned) parameters += m.max_positions * m.hidden;
  if (share.output) parameters += norm_parameters(m) + (one_table_for_both ? 0 : table);
  return parameters;
}

RankShare share_at(const Recipe& recipe, const ParallelConfig& layout, const comm::MeshCoordinates& at) {
  const ModelConfig& m = recipe.model;
  const int64_t tensor = layout.tensor, chunks = layout.virtual_pipeline;
  const parallel::LayerSplit split = layer_split(layout);
  RankShare share;
  share.at = at;
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    share.layers.push_back(parallel::layers_of_stage(m.layers, layout.pipeline, chunks, at.pipeline, chunk, split));
  share.embedding = at.pipeline == 0;
  share.output = at.pipeline == layout.pipeline - 1;
  share.heads = part(m.heads, tensor, at.tensor);
  share.kv_heads = kv_heads_of(m, tensor, at.tensor);
  share.ffn = part(m.ffn_hidden, tensor, at.tensor);
  share.vocabulary = vocabulary_of(m, tensor, at.tensor);
  share.sequences = {recipe.batch.micro * at.data, recipe.batch.micro * (at.data + 1)};
  share.layer_parameters = layer_parameters(m, share);
  share.parameters = parameters_of(m, share);
  return share;
}

}  // namespace

comm::Mesh mesh_of(const Recipe& recipe, int64_t ranks) {
  const ParallelConfig& p = recipe.parallel;
  require_layout(p, layout_needs(recipe, ranks));
  return comm::Mesh(
      {.tensor = p.tensor, .context = p.context, .expert = 1, .data = ranks / p.model_ranks(), .pipeline = p.pipeline},
      axis_order(p));
}

std::vector<RankShare> rank_shares(const Recipe& recipe, int64_t ranks) {
  const comm::Mesh mesh = mesh_of(recipe, ranks);
  LONGHAUL_CHECK(recipe.model.vocab_size > 0, "rank_shares without a vocabulary");
  std::vector<RankShare> shares;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    RankShare share = share_at(recipe, recipe.parallel, mesh.coordinates(rank));
    share.rank = rank;
    shares.push_back(std::move(share));
  }
  return shares;
}

RankShare stage_share(const Recipe& recipe, const ParallelConfig& layout, int64_t stage) {
  comm::MeshCoordinates at;
  at.pipeline = stage;
  return share_at(recipe, layout, at);
}

}  // namespace longhaul
