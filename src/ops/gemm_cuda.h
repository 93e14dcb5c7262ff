// Matrix products on CUDA by cuBLASLt.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops::cuda {

// out = a · b + bias, or out += a · b, as ops/gemm.h has it. BF16 products are summed in FP32; FP32 ones are
// computed in FP32, in TF32 only where LibTorch's allowTF32CuBLAS says so (it doesn't by default). False, and
// nothing done, for what goes by ATen instead: FP64, empty sums, and layouts that cuBLASLt has no way for.
bool gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool accumulate, const at::Tensor& bias);

// gemm_gelu and gemm_gelu_gradient of ops/gemm_gelu.h, each in one product. False, and nothing done, where there is no
// such product; rows whose length is no multiple of 8 have none.
bool gemm_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
               const at::Tensor& bias);
bool gemm_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre);

}  // namespace longhaul::ops::cuda
