#include "ops/cublaslt/cublaslt_library.h"

#include <string>

#include "longhaul/core/error.h"
#include "longhaul/core/shared_library.h"

namespace longhaul::ops {
namespace {

// The version of the header that this was compiled with: the structs are its.
const std::string kName = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);

CublasLtLibrary open() {
  const std::string remedy = fmt::format(
      "Install NVIDIA's wheel nvidia-cublas or the CUDA toolkit of version {} where the dynamic loader finds {}, or add its folder "
      "to LD_LIBRARY_PATH.",
      CUBLAS_VER_MAJOR, kName);
  const SharedLibrary library(kName);
  if (!library.loaded())
    throw EnvironmentError("GPUs multiply matrices with cuBLASLt, which cannot be loaded: {}. {}", library.problem(),
                           remedy);
  const auto load = [&](const char* name, auto*& function) { library.require(name, function, remedy); };
  CublasLtLibrary lt{};
  load("cublasLtCreate", lt.create);
  load("cublasLtMatmulDescCreate", lt.product_create);
  load("cublasLtMatmulDescDestroy", lt.product_destroy);
  load("cublasLtMatmulDescSetAttribute", lt.product_set);
  load("cublasLtMatrixLayoutCreate", lt.layout_create);
  load("cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  load("cublasLtMatmulPreferenceCreate", lt.preference_create);
  load("cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  load("cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  load("cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  load("cublasLtMatmul", lt.multiply);
  return lt;
}

}  // namespace

const CublasLtLibrary& CublasLtLibrary::get() {
  static const CublasLtLibrary library = open();
  return library;
}

}  // namespace longhaul::ops
