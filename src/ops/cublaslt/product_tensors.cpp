#include "ops/cublaslt/product_tensors.h"

#include <ATen/Context.h>

#include <algorithm>
#include <bit>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kAuxMultiple = 8;  // of CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD

StridedMatrix matrix_of(const at::Tensor& x) {
  return {x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

uint32_t alignment_of(const void* pointer) {
  return 1U << std::min(std::countr_zero(reinterpret_cast<uintptr_t>(pointer)), 8);  // 256 is what cuBLASLt assumes
}

cudaDataType_t cuda_type(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

}  // namespace

ProductTensors product_with_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre,
                                 const at::Tensor& activated, const at::Tensor& bias) {
  const auto epilogue = bias.defined() ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  return {a, b, activated, epilogue, bias, pre};
}

ProductTensors product_with_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre,
                                          const at::Tensor& dpre) {
  return {a, b, dpre, CUBLASLT_EPILOGUE_DGELU, {}, pre};
}

std::optional<ProductSpec> product_spec(const ProductTensors& t) {
  LONGHAUL_CHECK(has_bias(t.epilogue) == t.bias.defined() && has_aux(t.epilogue) == t.aux.defined(),
                 "a product's epilogue {} with tensors that it does not have", static_cast<int>(t.epilogue));
  const at::ScalarType type = t.a.scalar_type();
  if ((type != at::kFloat && type != at::kBFloat16) || t.a.size(1) == 0) return std::nullopt;
  if (t.bias.defined() && t.bias.scalar_type() != t.out.scalar_type()) return std::nullopt;
  const auto layout = product_layout(matrix_of(t.a), matrix_of(t.b), matrix_of(t.out));
  if (!layout) return std::nullopt;
  if (t.aux.defined()) {
    LONGHAUL_CHECK(
        t.aux.is_contiguous() && t.aux.sizes() == t.out.sizes() && t.aux.scalar_type() == t.out.scalar_type(),
        "a product's aux is not like its result");
    if (t.aux.size(1) % kAuxMultiple != 0) return std::nullopt;
  }
  const auto& context = at::globalContext();
  const ProductPointers pointers = product_pointers(t);
  ProductSpec spec{};
  spec.layout = *layout;
  spec.factors = cuda_type(t.a);
  spec.out = cuda_type(t.out);
  spec.compute = type == at::kFloat && context.allowTF32CuBLAS() ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  spec.accumulate = t.accumulate;
  spec.epilogue = t.epilogue;
  spec.aux_leading = t.aux.defined() ? t.aux.size(1) : 0;
  spec.alignment_left = alignment_of(pointers.left);
  spec.alignment_right = alignment_of(pointers.right);
  spec.alignment_out = alignment_of(pointers.out);
  spec.alignment_bias = alignment_of(pointers.bias);
  spec.alignment_aux = alignment_of(pointers.aux);
  spec.deterministic = context.deterministicAlgorithms();
  return spec;
}

ProductPointers product_pointers(const ProductTensors& t) {
  ProductPointers pointers{};
  pointers.left = t.b.const_data_ptr();
  pointers.right = t.a.const_data_ptr();
  pointers.out = t.out.mutable_data_ptr();
  pointers.bias = data_or_null(t.bias);
  pointers.aux = data_or_null(t.aux);
  return pointers;
}

}  // namespace longhaul::ops
