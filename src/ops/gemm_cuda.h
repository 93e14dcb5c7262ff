// Matrix products on CUDA by cuBLASLt.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops::cuda {

// out = a · b + bias, or out += a · b, as ops/gemm.h has it. BF16 products are summed in FP32; FP32 ones are
// computed in FP32, in TF32 only where LibTorch's allowTF32CuBLAS says so (it doesn't by default). False, and
// nothing done, for what goes by ATen instead: FP64, empty sums, and layouts that cuBLASLt has no way for.
bool gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool accumulate, const at::Tensor& bias);

}  // namespace longhaul::ops::cuda
