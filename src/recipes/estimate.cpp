#include "longhaul/recipes/estimate.h"

#include <algorithm>

namespace longhaul {
namespace {

// Bytes that one token leaves in one layer. The norms' parts are shared among the tensor ranks only with
// sequence parallelism, the others always.
double layer_bytes_per_token(const ModelConfig& m, double element, RecomputeMode mode,
                             const ParallelConfig& layout) {
  const double hidden = static_cast<double>(m.hidden), ffn = static_cast<double>(m.ffn_hidden);
  const double query = static_cast<double>(m.heads * m.head_dim);
  const double qkv = query + static_cast<double>(2 * m.kv_heads * m.head_dim);
  const double fc1 = m.gated ? 2 * ffn : ffn;
  const double tensor = static_cast<double>(layout.tensor);
  const double norm_share = layout.sequence ? tensor : 1;
  if (mode == RecomputeMode::full) return element * hidden / norm_share;  // the layer's input
  const double norm_inputs = 2 * hidden, norm_outputs = mode == RecomputeMode::none ? 2 * hidden : 0;
  // Kept for the attention's backward: its output and a log-sum-exp a head, in FP32; for the MLP's: the activation.
  const double outputs = query + (mode == RecomputeMode::none ? ffn : 0);
  const double log_sums = 4.0 * static_cast<double>(m.heads);
  return element * (norm_inputs + norm_outputs) / norm_share +
         (element * (qkv + fc1 + outputs) + log_sums) / tensor;
}

// How many micro-batches' worth of a stage's layers are alive at once, on the first stage.
double in_flight(const Recipe& recipe, const ParallelConfig& layout) {
  const double stages = static_cast<double>(layout.pipeline);
  switch (layout.schedule) {
    case PipelineSchedule::gpipe:
      return static_cast<double>(recipe.batch.global / recipe.batch.micro);
    case PipelineSchedule::interleaved:
      return stages * (1 + (stages - 1) / (stages * static_cast<double>(layout.virtual_pipeline)));
    case PipelineSchedule::one_f_one_b:
    case PipelineSchedule::zero_bubble:
      break;
  }
  return stages;
}

// Parameters of the largest unit: a layer, or a table over the vocabulary.
double largest_unit(const ModelConfig& m) {
  const int64_t table = m.vocab_size * m.hidden;
  int64_t others = (m.tied_embeddings ? 1 : 2) * table + (m.normalization == Normalization::layer_norm ? 2 : 1) * m.hidden;
  if (m.position == PositionEmbedding::learned) others += m.max_positions * m.hidden;
  return static_cast<double>(std::max(table, (m.parameter_count() - others) / m.layers));
}

}  // namespace

MemoryEstimate estimate_memory(const Recipe& recipe, const ParallelConfig& layout,
                               const RecomputeConfig& recompute, int64_t data_ranks) {
  const ModelConfig& m = recipe.model;
  const bool half = recipe.trainer.precision == Precision::bf16;
  const double element = half ? 2 : 4;
  const double parameters =
      static_cast<double>(m.parameter_count()) / static_cast<double>(layout.tensor * layout.pipeline);
  const double tokens = static_cast<double>(recipe.batch.micro * recipe.data.sequence_length) /
                        static_cast<double>(layout.context);

  const double layers = static_cast<double>(m.layers);
  const double recomputed = recompute.mode == RecomputeMode::none
                                ? 0
                                : static_cast<double>(recompute.layers == 0 ? m.layers : recompute.layers);
  const double plain = layer_bytes_per_token(m, element, RecomputeMode::none, layout);
  const double kept = layer_bytes_per_token(m, element, recompute.mode, layout);
  const double all_layers = recomputed * kept + (layers - recomputed) * plain;
  // While a layer is computed again, it is there in full once. The embedding and the final norm keep three
  // vectors.
  const double working = recompute.mode == RecomputeMode::none ? 0 : plain - kept;
  const double ends = 3 * element * static_cast<double>(m.hidden);

  MemoryEstimate estimate;
  const double two_units = 2 * largest_unit(m) / static_cast<double>(layout.tensor);
  // How many parameters there are in memory of what is sharded from this level on.
  const auto held = [&](Sharding level, double whole_units) {
    if (layout.sharding < level || data_ranks == 1) return parameters;
    return parameters / static_cast<double>(data_ranks) + whole_units;
  };
  estimate.weights = held(Sharding::parameters, two_units) * element;
  estimate.gradients = held(Sharding::gradients, two_units) * 4;
  estimate.optimizer = held(Sharding::optimizer, 0) * (half ? 12 : 8);
  estimate.activations =
      tokens *
      (all_layers * in_flight(recipe, layout) / static_cast<double>(layout.pipeline) + working + ends);
  return estimate;
}

}  // namespace longhaul
