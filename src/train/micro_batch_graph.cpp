#include "train/micro_batch_graph.h"

#include <fmt/ranges.h>

#include <utility>

#include "longhaul/core/error.h"
#include "ops/device_borders.h"

namespace longhaul {

MicroBatchGraph::MicroBatchGraph(std::unique_ptr<ops::DeviceGraph> graph, Pass pass)
    : graph_(std::move(graph)), pass_(std::move(pass)) {}

void MicroBatchGraph::run(const DeviceBatch& batch, const LayerContext& context) {
  take(batch, context);
  const auto pass = [this] { pass_(inputs_, context_); };
  // Attention takes the latest borders that were brought to the device; since the last micro-batch those may be an
  // evaluation's.
  if (runs_ <= kWarmUps) borders_ = ops::borders_on(context_.cu_seqlens, inputs_.tokens.device());
  if (runs_ < kWarmUps) {
    graph_->warm_up(pass);
  } else {
    if (runs_ == kWarmUps) graph_->record(pass);
    graph_->replay();
  }
  ++runs_;
}

void MicroBatchGraph::take(const DeviceBatch& batch, const LayerContext& context) {
  LONGHAUL_CHECK(!context.positions.defined(), "a micro-batch with positions of its own in a graph");
  if (runs_ == 0) {
    inputs_ = batch;
    context_ = context;
    return;
  }
  LONGHAUL_CHECK(context.cu_seqlens == context_.cu_seqlens,
                 "a micro-batch with documents that end at {} in a graph of {}", fmt::join(context.cu_seqlens, ", "),
                 fmt::join(context_.cu_seqlens, ", "));
  inputs_.tokens.copy_(batch.tokens);
  inputs_.labels.copy_(batch.labels);
  inputs_.weights.copy_(batch.weights);
  context_.place.copy_(context.place);
}

}  // namespace longhaul
