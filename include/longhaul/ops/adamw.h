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
  double grad_scale = 1;      // gradients are multiplied by it first (clipping)
};

// One AdamW step (Loshchilov and Hutter, 2019; the arithmetic of torch.optim.AdamW) on flat FP32 tensors of one
// length, in one pass. `model` is the training copy: undefined or `master` itself in FP32 runs, else BF16 of the same
// length, which gets the rounded result. `zero_grad` clears grad in the same pass.
void adamw_step(const at::Tensor& master, const at::Tensor& moment1, const at::Tensor& moment2, const at::Tensor& grad,
                const at::Tensor& model, const AdamWOptions& options, bool zero_grad);

// Σ x² in double precision with a fixed order of summation; x is any FP32 tensor.
double squared_norm(const at::Tensor& x);

}  // namespace longhaul::ops
