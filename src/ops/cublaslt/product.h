// One product as cuBLASLt describes it, and the way to compute it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ops/cublaslt/cublaslt_library.h"
#include "ops/product_layout.h"

namespace longhaul::ops {

// Whether an epilogue adds a bias, and whether it has a second matrix: GELU's input, written by GELU_AUX and read by
// DGELU.
inline bool has_bias(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
}
inline bool has_aux(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_GELU_AUX || epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS ||
         epilogue == CUBLASLT_EPILOGUE_DGELU;
}

struct ProductSpec {
  ProductLayout layout;
  cudaDataType_t factors, out;
  cublasComputeType_t compute;
  bool accumulate;                                                          // out += the product
  cublasLtEpilogue_t epilogue;                                              // bias and aux are of the type of `out`
  int64_t aux_leading;                                                      // elements, a multiple of 8
  uint32_t alignment_left, alignment_right, alignment_out, alignment_bias;  // bytes, of the pointers
  uint32_t alignment_aux;
  bool deterministic;  // no sum whose order may change
};

struct ProductPointers {
  const void *left, *right;
  void* out;
  const void* bias;  // null without one
  void* aux;         // null without one
  void* workspace;   // kProductWorkspace bytes
};

// 32 MiB, what NVIDIA advises for Hopper.
constexpr size_t kProductWorkspace = size_t{32} << 20;

// Throws InternalError where cuBLASLt refuses a call that it should take.
class Product {
 public:
  Product(const CublasLtLibrary& library, cublasLtHandle_t handle, const ProductSpec& spec);

  // At most `count` ways, the one that cuBLASLt thinks fastest first; the pointers are looked at for their alignment.
  // None: it has no way for this product.
  std::vector<cublasLtMatmulAlgo_t> ways(int count, const ProductPointers& pointers) const;
  void run(const cublasLtMatmulAlgo_t& way, const ProductPointers& pointers, cudaStream_t stream) const;

 private:
  template <typename T>
  using Handle = std::unique_ptr<std::remove_pointer_t<T>, cublasStatus_t (*)(T)>;
  template <typename Value>
  void set(cublasLtMatmulDescAttributes_t name, const Value& value) const;
  void set_epilogue_pointers(const ProductPointers& pointers) const;
  Handle<cublasLtMatrixLayout_t> layout_of(const ColumnMajorFactor& factor, cudaDataType_t type) const;

  const CublasLtLibrary& lt_;
  cublasLtHandle_t handle_;
  ProductSpec spec_;
  Handle<cublasLtMatmulDesc_t> product_;
  Handle<cublasLtMatrixLayout_t> left_, right_, out_;
};

}  // namespace longhaul::ops
