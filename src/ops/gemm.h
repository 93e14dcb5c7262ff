// Matrix products for the operators of this layer: one place that chooses the fastest way on the machine at
// hand.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

enum class GemmMode { overwrite, accumulate };

// out [m, n] = a [m, k] · b [k, n] + bias [n], or out += a · b. `a` and `b` have one dtype (FP32, BF16 or
// FP64) and one of their two strides is 1, so a transposed view costs nothing; the products are summed in
// FP32 (FP64 for FP64) and rounded once. `out` is row-major and has the dtype of `a`, or FP32 where `a` is
// BF16. `bias` may be undefined and has the dtype of `a`; it goes with overwrite only. A sum's order doesn't
// depend on the number of threads.
void gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, GemmMode mode = GemmMode::overwrite,
          const at::Tensor& bias = {});

// Throws InternalError where such a product's tensors don't fit one another.
void check_gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out);

// The same by ATen: for FP64, machines without AVX-512, and what cuBLASLt does not take.
void gemm_generic(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, GemmMode mode,
                  const at::Tensor& bias);

// out [n] += Σ over rows of x [m, n], contiguous, in a fixed order; out is FP32 (FP64 where x is FP64).
void add_column_sums(const at::Tensor& x, const at::Tensor& out);

}  // namespace longhaul::ops
