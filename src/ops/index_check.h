// Labels, token ids and positions must be in range. On the CPU a wrong one throws at once, on CUDA later
// (longhaul/ops/device.h), and the operators must be able to compute something with it.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/device_faults.h"

namespace longhaul::ops {

// `values` int64, contiguous; `weights` of as many FP32 numbers or undefined: those of weight 0 are not
// looked at.
void check_indices(Fault kind, const at::Tensor& values, int64_t limit, const at::Tensor& weights = {});

// `value` is a scalar that has to be 1.
void check_unit_gradient(const at::Tensor& value);

}  // namespace longhaul::ops
