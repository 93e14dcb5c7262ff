// One product as cuBLASLt describes it, and the way to compute it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ops/cublaslt/cublaslt_library.h"
#include "ops/product_layout.h"

namespace longhaul::ops {

struct ProductSpec {
  ProductLayout layout;
  cudaDataType_t factors, out;
  cublasComputeType_t compute;
  bool accumulate;                                                          // out += the product
  bool has_bias;                                                            // of the type of `out`
  uint32_t alignment_left, alignment_right, alignment_out, alignment_bias;  // bytes, of the pointers
  bool deterministic;                                                       // no sum whose order may change
};

struct ProductPointers {
  const void *left, *right;
  void* out;
  const void* bias;  // null without one
  void* workspace;   // kProductWorkspace bytes
};

// 32 MiB, what NVIDIA advises for Hopper.
constexpr size_t kProductWorkspace = size_t{32} << 20;

// Throws InternalError where cuBLASLt refuses a call that it should take.
class Product {
 public:
  Product(cublasLtHandle_t handle, const ProductSpec& spec);

  // At most `count` ways, the one that cuBLASLt thinks fastest first; `bias` is looked at for its alignment. None: it
  // has no way for this product.
  std::vector<cublasLtMatmulAlgo_t> ways(int count, const void* bias) const;
  void run(const cublasLtMatmulAlgo_t& way, const ProductPointers& pointers, cudaStream_t stream) const;

 private:
  template <typename T>
  using Handle = std::unique_ptr<std::remove_pointer_t<T>, cublasStatus_t (*)(T)>;
  void set_bias(const void* bias) const;
  Handle<cublasLtMatrixLayout_t> layout_of(const ColumnMajorFactor& factor, cudaDataType_t type) const;

  const CublasLtLibrary& lt_;
  cublasLtHandle_t handle_;
  ProductSpec spec_;
  Handle<cublasLtMatmulDesc_t> product_;
  Handle<cublasLtMatrixLayout_t> left_, right_, out_;
};

}  // namespace longhaul::ops
