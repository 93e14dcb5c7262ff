#include "train/global_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/parallel/pipeline_executor.h"
#include "model/host_activations.h"
#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

Recompute to_recompute(RecomputeMode mode) {
  switch (mode) {
    case RecomputeMode::none:
      return Recompute::none;
    case RecomputeMode::selective:
      return Recompute::selective;
    case RecomputeMode::full:
      return Recompute::full;
  }
  return Recompute::none;
}

// Autograd makes such a gradient anew in each backward, and adds to it outside of what was recorded.
void refuse_autograd_gradients(const ParameterStore& store) {
  for (const Parameter& p : store.parameters()) {
    if (!p.value.grad().defined()) continue;
    throw UserError(
        "an operator of your own leaves the gradient of {} to autograd, which trainer.cuda_graphs can't record: let it add to "
        "main_grad, or choose trainer.cuda_graphs=none",
        p.name);
  }
}

}  // namespace

struct GlobalStep::MicroBatch {
  DeviceBatch inputs;
  LayerContext context;
};

GlobalStep::GlobalStep(Transformer& model, const ParallelLayout& layout, const Recipe& recipe,
                       std::unique_ptr<ops::DeviceGraph> graph)
    : model_(model),
      layout_(layout),
      recipe_(recipe),
      device_(model.parameters().options().device),
      loss_(at::zeros({1}, at::TensorOptions().dtype(at::kDouble).device(device_))) {
  if (!graph) return;
  LONGHAUL_CHECK(layout.ranks() == 1, "a graph of micro-batches that {} ranks share", layout.ranks());
  graph_ = std::make_unique<MicroBatchGraph>(
      std::move(graph),
      [this](const DeviceBatch& batch, const LayerContext& context) { forward_and_backward(batch, context); });
}

// [1] FP32: 1 / valid tokens of all ranks, whose number stays on the device: reading it would wait for the device.
at::Tensor GlobalStep::weight_of_token(const std::vector<Batch>& batches) const {
  double valid = 0;
  for (const Batch& batch : batches) {
    for (const float mask : batch.loss_mask) valid += mask;
  }
  const at::Tensor all = at::full({1}, valid, at::TensorOptions().dtype(at::kDouble).device(device_));
  ops::sum_over(layout_.data(), all);
  return at::where(all > 0, all.reciprocal(), at::zeros_like(all)).to(at::kFloat);
}

GlobalStep::MicroBatch GlobalStep::arrive(int64_t step, int64_t number, const Batch& batch,
                                          const at::Tensor& weight) const {
  LayerContext context;
  context.training = true;
  context.recompute = to_recompute(recipe_.recompute.mode);
  context.recompute_layers = recipe_.recompute.layers;
  if (recipe_.recompute.offload) context.host_activations = std::make_shared<HostActivations>(device_);
  context.seed = static_cast<uint64_t>(recipe_.trainer.seed);
  context.place =
      ops::dropout_place(step, (number * layout_.data_ranks() + layout_.data_rank()) * batch.token_count(), device_);
  DeviceBatch inputs = to_device(batch, 1.0, device_, context);
  inputs.weights.mul_(weight);
  return {inputs, context};
}

// What a stage hands on; of the last, the micro-batch's part of the loss.
at::Tensor GlobalStep::forward(int64_t chunk, const at::Tensor& input, const DeviceBatch& batch,
                               const LayerContext& context) {
  const Stage& stage = model_.stages()[chunk];
  const at::Tensor out = model_.forward_stage(chunk, stage.embedding ? batch.tokens : input, context);
  if (!stage.output) return out;
  const auto result =
      model_.loss_of_hidden(out, batch.labels, batch.weights,
                            {.z_loss = recipe_.loss.z_loss,
                             .bf16_logits = recipe_.loss.bf16_logits(recipe_.trainer.precision, device_.is_cuda()),
                             .unit_gradient = true});
  loss_.add_(at::dot(result.token_losses, batch.weights.to(result.token_losses.scalar_type())));
  return result.loss;
}

void GlobalStep::forward_and_backward(const DeviceBatch& batch, const LayerContext& context) {
  torch::autograd::backward({forward(0, {}, batch, context)}, {});
  refuse_autograd_gradients(model_.parameters());
}

at::Tensor GlobalStep::run(int64_t step, const std::vector<Batch>& batches) {
  const auto& store = model_.parameters();
  const at::Tensor weight = weight_of_token(batches);
  const auto count = static_cast<int64_t>(batches.size());
  loss_.zero_();
  if (graph_) {
    for (int64_t i = 0; i < count; ++i) {
      const auto [inputs, context] = arrive(step, i, batches[i], weight);
      graph_->run(inputs, context);
    }
    return loss_;
  }
  const auto forward_of = [&](int64_t chunk, int64_t number, const at::Tensor& input) {
    const auto [inputs, context] = arrive(step, number, batches[number], weight);
    return forward(chunk, input, inputs, context);
  };
  if (store.events() != nullptr) store.events()->begin_batch(count);
  parallel::run_pipeline(layout_.program(count), layout_.pipeline(),
                         {.forward = forward_of,
                          .boundary = {store.tensor().held_tokens(batches[0].token_count()), recipe_.model.hidden},
                          .options = at::TensorOptions().dtype(store.options().dtype).device(device_)});
  ops::sum_over(layout_.data(), loss_);
  ops::sum_over(layout_.pipeline(), loss_);  // only the last stage has one
  return loss_;
}

}  // namespace longhaul
