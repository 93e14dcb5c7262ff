// Which parallel layouts fit a model and a number of ranks. Pure arithmetic, for error messages and plans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhaul/comm/mesh.h"
#include "longhaul/parallel/pipeline_schedule.h"
#include "longhaul/parallel/stage_layers.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

// What a layout must fit.
struct LayoutNeeds {
  int64_t ranks = 0;  // of the run; 0: as many as the layout likes
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t layers = 1;
  int64_t ffn_hidden = 1;
  int64_t vocab_size = 0;  // 0: not known yet
  int64_t vocab_multiple = 1;
  int64_t sequence_length = 1;
  int64_t micro_batches = 0;  // that make up every global batch, which the data-parallel ranks share; 0: any
  int64_t micro = 1;          // sequences of each
  std::string_view batch_key = "batch.global";  // what says how many sequences a global batch has
  bool operator==(const LayoutNeeds&) const = default;
};

// Of a recipe whose model is resolved.
LayoutNeeds layout_needs(const Recipe& recipe, int64_t ranks = 0);

// The pipeline that a layout's stages run, with so many micro-batches of a global batch for each data-parallel rank.
parallel::PipelineShape pipeline_shape(const ParallelConfig& layout, int64_t micro_batches);

// How the layers are dealt to the stages.
parallel::LayerSplit layer_split(const ParallelConfig& layout);

// parallel.order, read: Longhaul's names of the axes, or Megatron's (tp, cp, ep, dp, pp). UserError, with an order that
// would do, unless it names each of the five once.
comm::AxisOrder axis_order(const ParallelConfig& layout);

// Why the layout doesn't fit, a clause a reason, each with the keys and their values: "model.heads 32 does
// not divide by parallel.tensor 3". Empty: it fits.
std::vector<std::string> layout_problems(const ParallelConfig& layout, const LayoutNeeds& needs);

// The layouts that fit and are nearest to `wanted`, the nearest first, as overrides:
// "parallel.tensor=4 parallel.pipeline=2 (with 2 data-parallel ranks)". Other keys are named where they must
// change too. Near is what multiplies or divides few sizes by little. Empty: nothing fits, whatever the
// sizes; then the batch doesn't divide by the ranks.
std::vector<std::string> nearest_layouts(const ParallelConfig& wanted, const LayoutNeeds& needs, size_t most = 3);

// The numbers of ranks next below (or equal) and above needs.ranks on which the layout fits: two, one, or
// none.
std::vector<int64_t> nearest_rank_counts(const ParallelConfig& layout, const LayoutNeeds& needs);

// The largest batch.micro below the one there is with which the layout fits as it is; 0: none.
int64_t fitting_micro_batch(const ParallelConfig& layout, const LayoutNeeds& needs);

// Throws UserError with the problems, the nearest layouts and numbers of ranks unless the layout fits.
void require_layout(const ParallelConfig& layout, const LayoutNeeds& needs);

}  // namespace longhaul
