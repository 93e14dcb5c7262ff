#include "longhaul/recipes/estimate.h"

#include <algorithm>
#include <cmath>

#include "longhaul/model/shard.h"
#include "longhaul/parallel/pipeline_schedule.h"
#include "longhaul/recipes/activation_memory.h"
#include "longhaul/recipes/layouts.h"
#include "longhaul/recipes/rank_share.h"

namespace longhaul {
namespace {

double element_bytes(const Recipe& recipe) {
  return recipe.trainer.precision == Precision::bf16 ? 2 : 4;
}

// Elements of a rank's flat buffers, with the padding of the vocabulary.
double flat_elements(const ModelConfig& m, const ParallelConfig& layout, const RankShare& share) {
  const int64_t padding = vocabulary_rows(m.vocab_size, m.vocab_multiple, layout.tensor) - share.vocabulary.count();
  const int64_t tables =
      share.embedding && share.output ? (m.tied_embeddings ? 1 : 2) : share.embedding || share.output;
  return static_cast<double>(share.parameters + tables * padding * m.hidden);
}

// Of the largest unit: a layer, or a table over the vocabulary.
double largest_unit(const ModelConfig& m, const ParallelConfig& layout, const RankShare& share) {
  const int64_t table = vocabulary_rows(m.vocab_size, m.vocab_multiple, layout.tensor) * m.hidden;
  return static_cast<double>(std::max(share.embedding || share.output ? table : 0, share.layer_parameters));
}

void add_states(const Recipe& recipe, const ParallelConfig& layout, const RankShare& share, int64_t data_ranks,
                MemoryEstimate& estimate) {
  const double parameters = flat_elements(recipe.model, layout, share), ranks = static_cast<double>(data_ranks);
  const double two_units = 2 * largest_unit(recipe.model, layout, share);
  const bool half = recipe.trainer.precision == Precision::bf16, shares = data_ranks > 1;
  // Elements in memory of what is sharded from this level on.
  const auto held = [&](Sharding level, double whole_units) {
    return shares && layout.sharding >= level ? parameters / ranks + whole_units : parameters;
  };
  estimate.weights = held(Sharding::parameters, two_units) * element_bytes(recipe);
  estimate.gradients = held(Sharding::gradients, two_units) * 4;
  estimate.optimizer = held(Sharding::optimizer, 0) * (half ? 12 : 8);
  if (recipe.optimizer.offload) {
    // The masters are always apart, and two units' gradients and rounded values go through host memory at a time.
    const double longest =
        largest_unit(recipe.model, layout, share) / (shares && layout.sharding >= Sharding::optimizer ? ranks : 1);
    estimate.host += held(Sharding::optimizer, 0) * 12 + 2 * longest * (half ? 6 : 4);
    estimate.optimizer = 0;
  }
  if (!shares) return;
  // Gradients on their way: rounded copies of them, and the sums that arrive apart from the gradients.
  const bool rounds = layout.gradient_reduction == GradientReduction::bf16;
  const double width = rounds ? 2 : 4;
  const double under_way = layout.sharding >= Sharding::gradients ? two_units : parameters;
  if (rounds) estimate.communication += width * under_way;
  if (layout.sharding >= Sharding::gradients || (rounds && layout.sharding == Sharding::optimizer))
    estimate.communication += width * under_way / ranks;
}

// The inputs of recomputed layers in host memory, of which `kept` bytes would be kept on the device: two tensors of
// `tensor` bytes a layer. LibTorch's allocator of pinned memory gives each of them a power of two bytes.
double waiting_activations(const Recipe& recipe, double kept, double tensor) {
  return recipe.trainer.device == DeviceChoice::cpu ? kept : kept / tensor * std::exp2(std::ceil(std::log2(tensor)));
}

// How many of the stage's layers, with multiplicity, are alive at once, by whether they are recomputed.
struct LiveLayers {
  double recomputed = 0, plain = 0;
};

LiveLayers live_layers(const Recipe& recipe, const ParallelConfig& layout, const RecomputeConfig& recompute,
                       const RankShare& share, int64_t data_ranks, int64_t stage) {
  const ModelConfig& m = recipe.model;
  const int64_t limit = recompute.mode == RecomputeMode::none ? 0 : recompute.layers == 0 ? m.layers : recompute.layers;
  LiveLayers of_all_chunks;
  for (const parallel::LayerRange& range : share.layers) {
    const int64_t recomputed = std::clamp<int64_t>(limit - range.begin, 0, range.count());
    of_all_chunks.recomputed += static_cast<double>(recomputed);
    of_all_chunks.plain += static_cast<double>(range.count() - recomputed);
  }
  const int64_t micro_batches = std::max<int64_t>(1, recipe.batch.global / recipe.batch.micro / data_ranks);
  const int64_t live = parallel::peak_live_activations(pipeline_shape(layout, micro_batches), stage);
  const double times = static_cast<double>(live) / static_cast<double>(share.layers.size());
  return {of_all_chunks.recomputed * times, of_all_chunks.plain * times};
}

}  // namespace

MemoryEstimate estimate_stage_memory(const Recipe& recipe, const ParallelConfig& layout,
                                     const RecomputeConfig& recompute, int64_t data_ranks, int64_t stage) {
  const ModelConfig& m = recipe.model;
  const RankShare share = stage_share(recipe, layout, stage);
  MemoryEstimate estimate;
  add_states(recipe, layout, share, data_ranks, estimate);

  const double tokens =
      static_cast<double>(recipe.batch.micro * recipe.data.sequence_length) / static_cast<double>(layout.context);
  const ActivationMemory per_token(m, element_bytes(recipe), layout);
  const LiveLayers live = live_layers(recipe, layout, recompute, share, data_ranks, stage);
  const double recomputed = tokens * live.recomputed * per_token.kept_by_layer(recompute.mode);
  const double plain = tokens * live.plain * per_token.kept_by_layer(RecomputeMode::none);
  estimate.activations = plain + recomputed;
  if (recompute.offload) {
    const double layer = tokens * per_token.kept_by_layer(recompute.mode);
    estimate.host += waiting_activations(recipe, recomputed, layer / 2);
    estimate.activations = plain + 2 * layer;  // one layer's, and the next one's
  }
  // The last layer's backward comes first, while all others' activations are there.
  const RecomputeMode last = live.plain > 0 && recompute.layers > 0 ? RecomputeMode::none : recompute.mode;
  double backward = tokens * per_token.working(last);
  if (has_fused_attention(recipe)) {
    backward = std::max(backward, tokens * per_token.around_attention_backward(last) +
                                      attention_backward_memory(recipe, layout, tokens));
  }
  const double loss = share.output ? tokens * per_token.kept_by_ends() + logits_memory(recipe, layout, tokens) : 0;
  estimate.working = std::max(backward, loss);
  estimate.communication += tokens * per_token.exchanged();
  return estimate;
}

MemoryEstimate estimate_memory(const Recipe& recipe, const ParallelConfig& layout, const RecomputeConfig& recompute,
                               int64_t data_ranks) {
  MemoryEstimate fullest;
  for (int64_t stage = 0; stage < layout.pipeline; ++stage) {
    const MemoryEstimate estimate = estimate_stage_memory(recipe, layout, recompute, data_ranks, stage);
    if (estimate.total() > fullest.total()) fullest = estimate;
  }
  return fullest;
}

}  // namespace longhaul
