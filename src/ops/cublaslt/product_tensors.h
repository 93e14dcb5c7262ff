// A product of row-major tensors as cuBLASLt has it: what to multiply, and what to do with the sums in the same kernel.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/cublaslt/product.h"

namespace longhaul::ops {

// out [m, n] = a [m, k] · b [k, n] with what the epilogue makes of it, or out += a · b. With v = a · b + bias [n]:
//   CUBLASLT_EPILOGUE_DEFAULT        out = a · b
//   CUBLASLT_EPILOGUE_BIAS           out = v
//   CUBLASLT_EPILOGUE_GELU_AUX       out = gelu(a · b), aux = a · b
//   CUBLASLT_EPILOGUE_GELU_AUX_BIAS  out = gelu(v), aux = v
//   CUBLASLT_EPILOGUE_DGELU          out = (a · b) ⊙ gelu'(aux)
// cuBLASLt's GELU is the tanh form. `aux` [m, n] is contiguous and has the type of `out`, as has the bias.
struct ProductTensors {
  at::Tensor a, b, out;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  at::Tensor bias = {}, aux = {};
  bool accumulate = false;
};

// What gemm_gelu and gemm_gelu_gradient of ops/gemm_gelu.h are in one product.
ProductTensors product_with_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre,
                                 const at::Tensor& activated, const at::Tensor& bias);
ProductTensors product_with_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre,
                                          const at::Tensor& dpre);

// Nothing for products that cuBLASLt does not take: FP64, empty sums, a bias of another type than `out`, rows of `aux`
// whose length is no multiple of 8, and matrices neither row-major nor column-major.
std::optional<ProductSpec> product_spec(const ProductTensors& tensors);

// Without a workspace.
ProductPointers product_pointers(const ProductTensors& tensors);

}  // namespace longhaul::ops
