#include "ops/cublaslt/product.h"

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw InternalError(fmt::format("cuBLASLt's {} failed with status {}", what, static_cast<int>(status)));
}

}  // namespace

Product::Product(const CublasLtLibrary& library, cublasLtHandle_t handle, const ProductSpec& spec)
    : lt_(library),
      handle_(handle),
      spec_(spec),
      product_(nullptr, lt_.product_destroy),
      left_(layout_of(spec.layout.left, spec.factors)),
      right_(layout_of(spec.layout.right, spec.factors)),
      out_(layout_of(spec.layout.out, spec.out)) {
  cublasLtMatmulDesc_t product = nullptr;
  check(lt_.product_create(&product, spec.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
  product_.reset(product);
  const auto operation = [](const ColumnMajorFactor& x) { return x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(CUBLASLT_MATMUL_DESC_TRANSA, operation(spec.layout.left));
  set(CUBLASLT_MATMUL_DESC_TRANSB, operation(spec.layout.right));
  // The bias runs along the rows of the column-major result: the columns of ours.
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, spec.epilogue);
  if (has_aux(spec.epilogue)) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, spec.aux_leading);
}

template <typename Value>
void Product::set(cublasLtMatmulDescAttributes_t name, const Value& value) const {
  check(lt_.product_set(product_.get(), name, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}

Product::Handle<cublasLtMatrixLayout_t> Product::layout_of(const ColumnMajorFactor& factor, cudaDataType_t type) const {
  cublasLtMatrixLayout_t layout = nullptr;
  check(lt_.layout_create(&layout, type, static_cast<uint64_t>(factor.rows), static_cast<uint64_t>(factor.columns),
                          factor.leading),
        "cublasLtMatrixLayoutCreate");
  return {layout, lt_.layout_destroy};
}

void Product::set_epilogue_pointers(const ProductPointers& pointers) const {
  if (has_bias(spec_.epilogue)) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, pointers.bias);
  if (has_aux(spec_.epilogue)) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, pointers.aux);
}

std::vector<cublasLtMatmulAlgo_t> Product::ways(int count, const ProductPointers& pointers) const {
  set_epilogue_pointers(pointers);
  cublasLtMatmulPreference_t raw = nullptr;
  check(lt_.preference_create(&raw), "cublasLtMatmulPreferenceCreate");
  const Handle<cublasLtMatmulPreference_t> preference(raw, lt_.preference_destroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    check(lt_.preference_set(raw, name, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kProductWorkspace});
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, spec_.alignment_left);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, spec_.alignment_right);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, spec_.alignment_out);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, spec_.alignment_out);
  // Of the ways to split a sum over k, only the one that adds parts from the workspace in a fixed order.
  if (spec_.deterministic) {
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
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
  set_epilogue_pointers(pointers);
  const float one = 1, beta = spec_.accumulate ? 1 : 0;
  check(lt_.multiply(handle_, product_.get(), &one, pointers.left, left_.get(), pointers.right, right_.get(), &beta,
                     pointers.out, out_.get(), pointers.out, out_.get(), &way, pointers.workspace, kProductWorkspace,
                     stream),
        "cublasLtMatmul");
}

}  // namespace longhaul::ops
