#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace longhaul::ops {

struct AdamWOptions {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;  // decoupled: master -= lr · weight_decay · master
  int64_t step = 1;           // counts from 1, for the bias correction
  // FP64 [1] on the device of the tensors, which gradients are multiplied by first: clipping_scale. Where it is not
  // finite the step changes nothing. Undefined: 1.
  at::Tensor grad_scale;
};

// One AdamW step (Loshchilov and Hutter, 2019; the arithmetic of torch.optim.AdamW) on flat FP32 tensors of one
// length, in one pass. `model` is the training copy: undefined or `master` itself in FP32 runs, else BF16 of the same
// length, which gets the rounded result. `zero_grad` clears grad in the same pass.
void adamw_step(const at::Tensor& master, const at::Tensor& moment1, const at::Tensor& moment2, const at::Tensor& grad,
                const at::Tensor& model, const AdamWOptions& options, bool zero_grad);

// sum += Σ x² in double precision with a fixed order of summation; x is any FP32 (or FP64) tensor, sum FP64 [1] on its
// device, which nothing waits for.
void add_squared_norm(const at::Tensor& x, const at::Tensor& sum);

// What gradients of the squared norm `squared` (FP64 [1]) are multiplied by so that their norm is at most `limit`:
// min(1, limit / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ and Megatron-LM have it; 1 where limit is 0, NaN
// where the norm is not finite. FP64 [1] on the same device, which nothing waits for.
at::Tensor clipping_scale(const at::Tensor& squared, double limit);

}  // namespace longhaul::ops
