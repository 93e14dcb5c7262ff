// A micro-batch's forward and backward as a graph that is recorded once and replayed for all that follow.
//
// A replay repeats kernels with the arguments that they were recorded with. So what differs between micro-batches goes
// into tensors that stay where they are: token ids, labels, weights and the place that names masks of dropout are
// copied there first. Everything else has to be the same.
#pragma once

#include <functional>
#include <memory>

#include "longhaul/train/device_batch.h"
#include "ops/device_graph.h"

namespace longhaul {

class MicroBatchGraph {
 public:
  // Queues forward and backward of the micro-batch that it is given.
  using Pass = std::function<void(const DeviceBatch&, const LayerContext&)>;

  // Micro-batches that run as ever before one is recorded: libraries set themselves up in them.
  static constexpr int kWarmUps = 3;

  MicroBatchGraph(std::unique_ptr<ops::DeviceGraph> graph, Pass pass);

  // Runs pass(batch, context), or replays it. `context`: of the borders and lengths of the first.
  void run(const DeviceBatch& batch, const LayerContext& context);

 private:
  void take(const DeviceBatch& batch, const LayerContext& context);

  const std::unique_ptr<ops::DeviceGraph> graph_;
  const Pass pass_;
  DeviceBatch inputs_;
  LayerContext context_;
  at::Tensor borders_;  // on the device, where the graph reads them
  int64_t runs_ = 0;
};

}  // namespace longhaul
