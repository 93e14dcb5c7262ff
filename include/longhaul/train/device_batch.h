// From the data layer's plain vectors to the tensors that a model takes: what a training loop does first.
//
//   LayerContext context;
//   const auto [tokens, labels, weights] = to_device(batch, 1.0 / tokens_of_the_step, device, context);
//   model.loss(tokens, labels, weights, context, {}).loss.backward();
#pragma once

#include <ATen/core/Tensor.h>

#include "longhaul/data/batch.h"
#include "longhaul/model/layer_context.h"

namespace longhaul {

// A micro-batch as tensors on the model's device.
struct DeviceBatch {
  at::Tensor tokens;   // [n] int64
  at::Tensor labels;   // [n] int64
  at::Tensor weights;  // [n] FP32: the loss mask, scaled by `weight`
};

// `weight` scales the loss mask, e.g. 1 / valid tokens of the whole step. Fills the documents' borders and positions
// into `context`.
DeviceBatch to_device(const Batch& batch, double weight, c10::Device device, LayerContext& context);

}  // namespace longhaul
