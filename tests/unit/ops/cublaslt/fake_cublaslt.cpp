#include "unit/ops/cublaslt/fake_cublaslt.h"

#include <cmath>
#include <cstring>
#include <map>

namespace longhaul::ops::test {
namespace {

struct Layout {
  cudaDataType type;
  int64_t rows, columns, leading;
};

// The attributes of a product, as bytes of the sizes that the header names.
using Attributes = std::map<cublasLtMatmulDescAttributes_t, uint64_t>;

size_t size_of(cublasLtMatmulDescAttributes_t name) {
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
    case CUBLASLT_MATMUL_DESC_TRANSB:
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return sizeof(int32_t);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return sizeof(int64_t);
    default:
      return 0;
  }
}

uint64_t value_of(const Attributes& attributes, cublasLtMatmulDescAttributes_t name, uint64_t otherwise) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? otherwise : found->second;
}

// Handles are opaque: what they point to is ours.
template <typename Handle, typename Object>
cublasStatus_t make(Handle* handle, Object object) {
  *handle = reinterpret_cast<Handle>(new Object(std::move(object)));
  return CUBLAS_STATUS_SUCCESS;
}
template <typename Object, typename Handle>
cublasStatus_t destroy(Handle handle) {
  delete reinterpret_cast<const Object*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t create_product(cublasLtMatmulDesc_t* product, cublasComputeType_t compute, cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  return make(product, Attributes());
}

cublasStatus_t set_attribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name, const void* value,
                             size_t bytes) {
  if (size_of(name) == 0 || bytes != size_of(name)) return CUBLAS_STATUS_INVALID_VALUE;
  uint64_t bits = 0;
  std::memcpy(&bits, value, bytes);
  (*reinterpret_cast<Attributes*>(product))[name] = bits;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t create_layout(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows, uint64_t columns,
                             int64_t leading) {
  return make(layout, Layout{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), leading});
}

cublasStatus_t create_preference(cublasLtMatmulPreference_t* preference) {
  return make(preference, Attributes());
}

cublasStatus_t set_preference(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void*, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

// The rules of CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD and _POINTER.
bool aux_is_right(const Attributes& attributes, const Layout& out) {
  const auto leading = static_cast<int64_t>(value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, 0));
  return leading % 8 == 0 && leading >= out.rows &&
         value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, 0) != 0;
}

cublasStatus_t find_ways(cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                         cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t, int count,
                         cublasLtMatmulHeuristicResult_t* results, int* found) {
  const auto& attributes = *reinterpret_cast<const Attributes*>(product);
  const bool with_aux = (value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT) & 128) != 0;
  if (with_aux && !aux_is_right(attributes, *reinterpret_cast<const Layout*>(out))) return CUBLAS_STATUS_INVALID_VALUE;
  *found = count > 0 ? 1 : 0;
  if (count > 0) results[0].state = CUBLAS_STATUS_SUCCESS;
  return CUBLAS_STATUS_SUCCESS;
}

double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

double gelu_slope(double x) {
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x), t = std::tanh(inner);
  return (1 + t) / 2 + x / 2 * (1 - t * t) * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

// One element of the result: epilogue(sum + bias), with `aux` written or read.
double finish(cublasLtEpilogue_t epilogue, double sum, double bias, float* aux) {
  switch (epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT:
      return sum;
    case CUBLASLT_EPILOGUE_BIAS:
      return sum + bias;
    case CUBLASLT_EPILOGUE_GELU_AUX:
      *aux = static_cast<float>(sum);
      return gelu(sum);
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      *aux = static_cast<float>(sum + bias);
      return gelu(sum + bias);
    case CUBLASLT_EPILOGUE_DGELU:
      return sum * gelu_slope(*aux);
    default:
      return std::nan("");
  }
}

cublasStatus_t multiply(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha, const void* a,
                        cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                        const void* beta, const void* c, cublasLtMatrixLayout_t, void* d,
                        cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t) {
  const auto& attributes = *reinterpret_cast<const Attributes*>(product);
  const auto &left = *reinterpret_cast<const Layout*>(a_layout), &right = *reinterpret_cast<const Layout*>(b_layout),
             &out = *reinterpret_cast<const Layout*>(d_layout);
  if (left.type != CUDA_R_32F || right.type != CUDA_R_32F || out.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto element = [&](const void* data, const Layout& x, cublasLtMatmulDescAttributes_t transposed, int64_t row,
                           int64_t column) {
    if (value_of(attributes, transposed, CUBLAS_OP_N) == CUBLAS_OP_T) std::swap(row, column);
    return static_cast<double>(static_cast<const float*>(data)[row + column * x.leading]);
  };
  const auto epilogue =
      static_cast<cublasLtEpilogue_t>(value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT));
  const auto* bias = reinterpret_cast<const float*>(value_of(attributes, CUBLASLT_MATMUL_DESC_BIAS_POINTER, 0));
  auto* aux = reinterpret_cast<float*>(value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, 0));
  const auto aux_leading = static_cast<int64_t>(value_of(attributes, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, 0));
  const int64_t inner =
      value_of(attributes, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T ? left.rows : left.columns;
  for (int64_t i = 0; i < out.rows; ++i) {
    for (int64_t j = 0; j < out.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k)
        sum +=
            element(a, left, CUBLASLT_MATMUL_DESC_TRANSA, i, k) * element(b, right, CUBLASLT_MATMUL_DESC_TRANSB, k, j);
      sum *= *static_cast<const float*>(alpha);
      const float scale = *static_cast<const float*>(beta);
      if (scale != 0) sum += scale * static_cast<const float*>(c)[i + j * out.leading];
      static_cast<float*>(d)[i + j * out.leading] = static_cast<float>(
          finish(epilogue, sum, bias ? bias[i] : std::nan(""), aux ? aux + i + j * aux_leading : nullptr));
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

CublasLtLibrary fake_cublaslt() {
  CublasLtLibrary lt{};
  lt.product_create = create_product;
  lt.product_destroy = destroy<Attributes>;
  lt.product_set = set_attribute;
  lt.layout_create = create_layout;
  lt.layout_destroy = destroy<Layout>;
  lt.preference_create = create_preference;
  lt.preference_destroy = destroy<Attributes>;
  lt.preference_set = set_preference;
  lt.heuristic = find_ways;
  lt.multiply = multiply;
  return lt;
}

}  // namespace longhaul::ops::test
