#include "train/global_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "longhaul/parallel/pipeline_executor.h"
#include "longhaul/train/device_batch.h"
#include "model/host_activations.h"
#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

Recompute to_recompute(RecomputeMode mode) {
  switch (mode) {
    case RecomputeMode::none: return Recompute::none;
    case RecomputeMode::selective: return Recompute::selective;
    case RecomputeMode::full: return Recompute::full;
  }
  return Recompute::none;
}

}  // namespace

at::Tensor run_global_step(Transformer& model, const ParallelLayout& layout, const Recipe& recipe, int64_t step,
                           const std::vector<Batch>& batches) {
  const auto& store = model.parameters();
  const c10::Device device = store.options().device;
  double valid = 0;
  for (const Batch& batch : batches) {
    for (const float mask : batch.loss_mask) valid += mask;
  }
  // The number of all ranks' valid tokens stays on the device: reading it would wait for the device.
  const at::Tensor all = at::full({1}, valid, at::TensorOptions().dtype(at::kDouble).device(device));
  ops::sum_over(layout.data(), all);
  const at::Tensor weight = at::where(all > 0, all.reciprocal(), at::zeros_like(all)).to(at::kFloat);

  const int64_t tokens = batches[0].token_count();
  at::Tensor loss = at::zeros({1}, at::TensorOptions().dtype(at::kDouble).device(device));
  const auto forward = [&](int64_t chunk, int64_t micro_batch, const at::Tensor& input) {
    const Batch& batch = batches[micro_batch];
    LayerContext context;
    context.training = true;
    context.recompute = to_recompute(recipe.recompute.mode);
    context.recompute_layers = recipe.recompute.layers;
    if (recipe.recompute.offload) context.host_activations = std::make_shared<HostActivations>(device);
    context.seed = static_cast<uint64_t>(recipe.trainer.seed);
    context.step = static_cast<uint64_t>(step);
    context.first_token = static_cast<uint64_t>((micro_batch * layout.data_ranks() + layout.data_rank()) * tokens);
    DeviceBatch on_device = to_device(batch, 1.0, device, context);
    on_device.weights.mul_(weight);
    const Stage& stage = model.stages()[chunk];
    const at::Tensor out = model.forward_stage(chunk, stage.embedding ? on_device.tokens : input, context);
    if (!stage.output) return out;
    const auto result = model.loss_of_hidden(out, on_device.labels, on_device.weights,
                                             {.z_loss = recipe.loss.z_loss, .unit_gradient = true});
    loss.add_(at::dot(result.token_losses, on_device.weights.to(result.token_losses.scalar_type())));
    return result.loss;
  };
  const TensorGroup& tensor = store.tensor();
  if (store.events() != nullptr) store.events()->begin_batch(static_cast<int64_t>(batches.size()));
  parallel::run_pipeline(layout.program(static_cast<int64_t>(batches.size())), layout.pipeline(),
                         {.forward = forward,
                          .boundary = {tensor.held_tokens(tokens), recipe.model.hidden},
                          .options = at::TensorOptions().dtype(store.options().dtype).device(device)});
  ops::sum_over(layout.data(), loss);
  ops::sum_over(layout.pipeline(), loss);  // only the last stage has one
  return loss;
}

}  // namespace longhaul
