// The computation of one optimiser step on one rank: this rank's share of a global batch, forward and backward, through
// its pipeline stages.
#pragma once

#include <memory>
#include <vector>

#include "longhaul/data/batch.h"
#include "longhaul/model/transformer.h"
#include "longhaul/recipes/recipe.h"
#include "train/micro_batch_graph.h"
#include "train/parallel_layout.h"

namespace longhaul {

class GlobalStep {
 public:
  // All outlive it. `graph`: empty; micro-batches are recorded there (require_cuda_graphs tells of which recipes).
  // Null: they are queued operator by operator.
  GlobalStep(Transformer& model, const ParallelLayout& layout, const Recipe& recipe,
             std::unique_ptr<ops::DeviceGraph> graph = nullptr);
  GlobalStep(const GlobalStep&) = delete;  // the graph's pass is its own
  GlobalStep& operator=(const GlobalStep&) = delete;

  // Accumulates the gradients of the mean loss over the valid tokens of the whole global batch, all data-parallel
  // ranks' together, and returns that loss, on every rank: [1] FP64 on the device, which the call does not wait for,
  // and which the next call may write to. `batches`: this rank's micro-batches, in order. A collective call.
  at::Tensor run(int64_t step, const std::vector<Batch>& batches);

 private:
  struct MicroBatch;

  at::Tensor weight_of_token(const std::vector<Batch>& batches) const;
  MicroBatch arrive(int64_t step, int64_t number, const Batch& batch, const at::Tensor& weight) const;
  at::Tensor forward(int64_t chunk, const at::Tensor& input, const DeviceBatch& batch, const LayerContext& context);
  void forward_and_backward(const DeviceBatch& batch, const LayerContext& context);

  Transformer& model_;
  const ParallelLayout& layout_;
  const Recipe& recipe_;
  const c10::Device device_;
  at::Tensor loss_;  // [1] FP64: of the step so far
  std::unique_ptr<MicroBatchGraph> graph_;
};

}  // namespace longhaul
