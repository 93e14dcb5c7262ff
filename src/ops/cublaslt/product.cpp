#include "ops/cublaslt/product.h"

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw InternalError(fmt::format("cuBLASLt's {} failed with status {}", what, static_cast<int>(status)));
}

}  // namespace

Product::Product(cublasLtHandle_t handle, const ProductSpec& spec)
    : lt_(CublasLtLibrary::get()),
      handle_(handle),
      spec_(spec),
      product_(nullptr, lt_.product_destroy),
      left_(layout_of(spec.layout.left, spec.factors)),
      right_(layout_of(spec.layout.right, spec.factors)),
      out_(layout_of(spec.layout.out, spec.out)) {
  cublasLtMatmulDesc_t product = nullptr;
  check(lt_.product_create(&product, spec.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
  product_.reset(product);
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    check(lt_.product_set(product, name, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  };
  const auto operation = [](const ColumnMajorFactor& x) { return x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(CUBLASLT_MATMUL_DESC_TRANSA, operation(spec.layout.left));
  set(CUBLASLT_MATMUL_DESC_TRANSB, operation(spec.layout.right));
  // The bias runs along the rows of the column-major result: the columns of ours.
  if (spec.has_bias) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
}

Product::Handle<cublasLtMatrixLayout_t> Product::layout_of(const ColumnMajorFactor& factor, cudaDataType_t type) const {
  cublasLtMatrixLayout_t layout = nullptr;
  check(lt_.layout_create(&layout, type, static_cast<uint64_t>(factor.rows), static_cast<uint64_t>(factor.columns),
                          factor.leading),
        "cublasLtMatrixLayoutCreate");
  return {layout, lt_.layout_destroy};
}

void Product::set_bias(const void* bias) const {
  if (!spec_.has_bias) return;
  check(lt_.product_set(product_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
        "cublasLtMatmulDescSetAttribute");
}

std::vector<cublasLtMatmulAlgo_t> Product::ways(int count, const void* bias) const {
  set_bias(bias);
  cublasLtMatmulPreference_t raw = nullptr;
  check(lt_.preference_create(&raw), "cublasLtMatmulPreferenceCreate");
  const Handle<cublasLtMatmulPreference_t> preference(raw, lt_.preference_destroy);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    check(lt_.preference_set(raw, name, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kProductWorkspace});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, spec_.alignment_left);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, spec_.alignment_right);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, spec_.alignment_out);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, spec_.alignment_out);
  // Of the ways to split a sum over k, only the one that adds parts from the workspace in a fixed order.
  if (spec_.deterministic) {
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  }
  std::vector<cublasLtMatmulHeuristicResult_t> results(count);
  int found = 0;
  const cublasStatus_t status = lt_.heuristic(handle_, product_.get(), left_.get(), right_.get(), out_.get(),
                                              out_.get(), raw, count, results.data(), &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<cublasLtMatmulAlgo_t> ways;
  for (int i = 0; i < found; ++i) {
    if (results[i].state == CUBLAS_STATUS_SUCCESS) ways.push_back(results[i].algo);
  }
  return ways;
}

void Product::run(const cublasLtMatmulAlgo_t& way, const ProductPointers& pointers, cudaStream_t stream) const {
  set_bias(pointers.bias);
  const float one = 1, beta = spec_.accumulate ? 1 : 0;
  check(lt_.multiply(handle_, product_.get(), &one, pointers.left, left_.get(), pointers.right, right_.get(), &beta,
                     pointers.out, out_.get(), pointers.out, out_.get(), &way, pointers.workspace, kProductWorkspace,
                     stream),
        "cublasLtMatmul");
}

}  // namespace longhaul::ops
