// Matrix products with a GELU (tanh form) in their last step, as the MLP of GPT has them. On CUDA cuBLASLt has such
// products, at some shapes faster and at others slower than a product and the activation's kernel apart: both sides are
// timed whole when a shape comes for the first time, and the faster is taken. The CPU and FP64 have them apart, and so
// has LibTorch's deterministic mode, in which nothing is measured: there GELU always takes its rounded input.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

// pre [m, n] = a [m, k] · b [k, n] + bias [n], activated = gelu(pre); both contiguous, of the dtype of `a`. In one
// product GELU takes its input before that is rounded to `pre`. `bias` may be undefined.
void gemm_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
               const at::Tensor& bias);

// The same apart, whatever is faster: `activated` has the bits of gelu of the rounded `pre`.
void gemm_gelu_apart(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
                     const at::Tensor& bias);

// dpre = (a · b) ⊙ gelu'(pre), both [m, n], contiguous, of the dtype of `a`; dbias [n] += the sums of dpre's columns,
// FP32 (FP64 for FP64), or undefined. A kernel of its own adds them up before it rounds dpre, one product leaves them
// to a pass over dpre.
void gemm_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre,
                        const at::Tensor& dbias);

// The same apart.
void gemm_gelu_gradient_apart(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre,
                              const at::Tensor& dbias);

}  // namespace longhaul::ops
